import { z } from 'zod';
import { pageQuery, timeView } from '../http/field-schemas.js';
import { REFUSED_URLS, type RefusedPush } from './refused-push.entity.js';
import { isoTime } from '../common/times.js';

/** Refused pushes of one kind as `/admin/refused-pushes` lists them. */
export const refusedPushView = z
  .object({
    id: z.string(),
    url: z.enum(REFUSED_URLS).describe('other: a path under /callback that is neither of the two'),
    componentAppId: z.string().nullable().describe('null: the URL names no registered platform'),
    code: z.string().describe('Code of the error that was answered'),
    sourceAddress: z
      .string()
      .describe('IPv4 address or /64 of the sender; other: more senders than are counted apart'),
    count: z.int().describe('How many; the last minute may be missing'),
    firstAt: timeView,
    lastAt: timeView,
  })
  .meta({ id: 'RefusedPush' });
export type RefusedPushView = z.infer<typeof refusedPushView>;

export const refusedPushListView = z
  .object({
    refusedPushes: z.array(refusedPushView),
    next: z.string().nullable().describe('Value of `before` for the next page'),
  })
  .meta({ id: 'RefusedPushPage' });

export const refusedPushListQuery = z.object({
  component: z.string().min(1).max(64).optional(),
  ...pageQuery({ most: 200, usual: 50 }),
});
export type RefusedPushListQuery = z.output<typeof refusedPushListQuery>;

export function toRefusedPushView(row: RefusedPush): RefusedPushView {
  const { firstAt, lastAt, ...rest } = row;
  return {
    ...rest,
    firstAt: isoTime(firstAt),
    lastAt: isoTime(lastAt),
  };
}

export const refusedPushExample: RefusedPushView = {
  id: '0199a3f0-7c1e-7a54-9c1d-1f2e3d4c5b6a',
  url: 'events',
  componentAppId: 'wx0123456789abcdef',
  code: 'signature_invalid',
  sourceAddress: '203.0.113.7',
  count: 6,
  firstAt: '2026-11-22T08:00:00.000Z',
  lastAt: '2026-11-22T08:50:00.000Z',
};
