import { z } from 'zod';
import { timeView } from '../http/field-schemas.js';
import { remarkOf, toRemarkView } from '../http/remark-view.js';

/** It goes into a push, and XML has no control characters. */
const authCode = z
  .string()
  .regex(/^[!-~]{1,512}$/, 'must be an authorization code')
  .optional();

/** Body of `POST /admin/components/:componentAppId/release-check`; it may be left out. */
export const releaseCheckBody = z
  .object({
    authCodes: z
      .object({
        officialAccount: authCode,
        miniProgram: authCode,
      })
      .default({})
      .describe('Authorization codes that WeChat has not seen yet: they are used up'),
    openid: z
      .string()
      .regex(/^[\w-]{6,64}$/, 'must be an openid')
      .optional()
      .describe('A user whom the accounts of the codes may send a message'),
  })
  .default({ authCodes: {} })
  .meta({ id: 'ReleaseCheckWish', example: {} });
export type ReleaseCheckBody = z.output<typeof releaseCheckBody>;

const customerMessage = z.object({
  ok: z.boolean().nullable().describe('null: not checked'),
  got: z.string(),
});
export type CustomerMessage = z.infer<typeof customerMessage>;

/** One case of the check, as it was played. */
const releaseCase = z.object({
  name: z.enum([
    'ticket',
    'official_account_text',
    'official_account_event',
    'official_account_code',
    'mini_program_code',
  ]),
  ok: z.boolean().nullable().describe('null: skipped, for the reason that `got` says'),
  expected: z.string(),
  got: z.string(),
  milliseconds: z.int().describe('Until the whole answer was there'),
  customerMessage: customerMessage.optional().describe('What follows a code'),
});
export type ReleaseCase = z.infer<typeof releaseCase>;

const releaseCheck = z.object({
  componentAppId: z.string(),
  publicUrl: z.string().describe('What the check went through'),
  ok: z.boolean().describe('No case failed'),
  cases: z.array(releaseCase),
});
export type ReleaseCheck = z.infer<typeof releaseCheck>;

const releaseCaseView = releaseCase
  .extend({
    expectedRemark: remarkOf('expected'),
    gotRemark: remarkOf('got'),
    customerMessage: customerMessage
      .extend({ gotRemark: remarkOf('got') })
      .meta({ id: 'CustomerMessage' })
      .optional()
      .describe('What follows a code'),
  })
  .meta({ id: 'ReleaseCase' });

/** A run that is kept. */
export const releaseCheckRunView = releaseCheck
  .extend({
    id: z.string(),
    at: timeView.describe('When it ended'),
    cases: z.array(releaseCaseView),
  })
  .meta({ id: 'ReleaseCheckRun' });
export type ReleaseCheckRunView = z.infer<typeof releaseCheckRunView>;

export function toReleaseCheckRunView(
  run: { id: string; at: string },
  { cases, ...check }: ReleaseCheck,
): ReleaseCheckRunView {
  return {
    ...run,
    ...check,
    cases: cases.map(({ customerMessage: message, ...one }) => ({
      ...one,
      expectedRemark: toRemarkView(one.expected),
      gotRemark: toRemarkView(one.got),
      ...(message && { customerMessage: { ...message, gotRemark: toRemarkView(message.got) } }),
    })),
  };
}

export const releaseCheckRunsView = z
  .object({ runs: z.array(releaseCheckRunView).describe('The newest 20, newest first') })
  .meta({ id: 'ReleaseCheckRuns' });
export type ReleaseCheckRunsView = z.infer<typeof releaseCheckRunsView>;

const exampleRun = {
  id: '0199a3f0-7c1e-7a54-9c1d-1f2e3d4c5b6a',
  at: '2026-11-22T08:00:00.000Z',
};
export const releaseCheckExample = toReleaseCheckRunView(exampleRun, {
  componentAppId: 'wx0123456789abcdef',
  publicUrl: 'https://hub.example.com',
  ok: true,
  cases: [
    {
      name: 'ticket',
      ok: true,
      expected: 'success',
      got: 'success',
      milliseconds: 12,
    },
    {
      name: 'official_account_text',
      ok: true,
      expected: 'reply: TESTCOMPONENT_MSG_TYPE_TEXT_callback',
      got: 'reply: TESTCOMPONENT_MSG_TYPE_TEXT_callback',
      milliseconds: 15,
    },
    {
      name: 'mini_program_code',
      ok: true,
      expected: 'empty answer',
      got: 'empty answer',
      milliseconds: 11,
      customerMessage: { ok: null, got: 'not checked: no authorization code was given' },
    },
  ],
});
