import { z } from 'zod';

const status = z.enum(['up', 'degraded', 'down']);
export type HealthStatus = z.infer<typeof status>;

export const liveView = z.object({ status: z.literal('up') });

/** What `/health/ready` reports. */
export const readyView = z.object({
  status: status.describe('down: the database can not be reached, or the hub stops; HTTP 503'),
  stopping: z.literal(true).optional().describe('Only of a hub that will stop'),
  database: status,
  components: z.array(
    z.object({
      componentAppId: z.string(),
      ticket: status.describe('degraded: older than 35 minutes; down: none within 12 hours'),
      token: status.describe(
        'degraded: valid, but refreshing fails or WeChat was reported to refuse it; down: none that is valid',
      ),
    }),
  ),
});
export type ReadyView = z.infer<typeof readyView>;

export const readyExample: ReadyView = {
  status: 'up',
  database: 'up',
  components: [{ componentAppId: 'wx0123456789abcdef', ticket: 'up', token: 'up' }],
};

export const downExample: ReadyView = { status: 'down', database: 'down', components: [] };
