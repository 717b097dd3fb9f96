import { z } from 'zod';

/** An id of the hub's own, in a path. */
export const idParam = z.string().min(1).max(36);

/** The appid of a platform or an account, in a path, query or body. */
export const appidParam = z.string().min(1).max(64);

/** A time in an answer, in ISO 8601 and UTC. */
export const timeView = z.iso.datetime();

/** A time in a query or body, in ISO 8601: in UTC or with an offset. */
export const timeQuery = z.iso.datetime({ offset: true });

/** The part of a list's query that tells which page, and how much is on it. */
export function pageQuery({ most, usual }: { most: number; usual: number }) {
  return {
    before: z.string().max(36).optional().describe('`next` of the page before'),
    limit: z.coerce.number().int().min(1).max(most).default(usual),
  };
}

/** The row after which the next page begins; undefined where this one is the last. */
export function lastOfFullPage<T>(rows: T[], limit: number): T | undefined {
  return rows.length === limit ? rows.at(-1) : undefined;
}
