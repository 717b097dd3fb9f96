import { z } from 'zod';

const status = z.enum(['up', 'degraded', 'down']).meta({ id: 'HealthStatus' });
export type HealthStatus = z.infer<typeof status>;

export const liveView = z.object({ status: z.literal('up') }).meta({ id: 'Liveness' });

/** What `/health/ready` reports. */
export const readyView = z
  .object({
    status: status.describe('down: the database cannot be reached, or the hub stops; HTTP 503'),
    stopping: z.literal(true).optional().describe('Only of a hub that will stop'),
    database: status,
    lastFailedWrite: z
      .object({
        at: z.iso.datetime(),
        tables: z.array(z.string()).describe('what it had written to; empty: it could not begin'),
        code: z.string().describe('of the database or its driver, such as SQLITE_FULL'),
        over: z.boolean().describe('a write of the same kind and size has succeeded since'),
      })
      .nullable()
      .describe('newest write of this process that the database did not take'),
    components: z.array(
      z.object({
        componentAppId: z.string(),
        ticket: status.describe('degraded: older than 35 minutes; down: none within 12 hours'),
        token: status.describe(
          'degraded: valid, but refreshing fails or WeChat was reported to refuse it; down: none that is valid',
        ),
      }),
    ),
  })
  .meta({ id: 'Readiness' });
export type ReadyView = z.infer<typeof readyView>;

export const readyExample: ReadyView = {
  status: 'up',
  database: 'up',
  lastFailedWrite: null,
  components: [{ componentAppId: 'wx0123456789abcdef', ticket: 'up', token: 'up' }],
};

export const downExample: ReadyView = {
  status: 'down',
  database: 'down',
  lastFailedWrite: {
    at: '2026-11-22T08:51:30.362Z',
    tables: ['callback_event'],
    code: 'SQLITE_FULL',
    over: false,
  },
  components: [],
};
