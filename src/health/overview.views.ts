import { z } from 'zod';
import { timeView } from '../http/field-schemas.js';
import { problemView } from '../http/problem-view.js';
import { ticketView, ticketViewExample } from '../ticket/ticket.views.js';
import { tokenView, tokenViewExample } from '../token/token.views.js';

/** Most that the overview counts of one thing. */
export const MOST_PENDING = 100_000;
export const MOST_DEAD = 10_000;

const count = z.int();

/** What `GET /admin/overview` says of a platform. */
export const platformOverviewView = z
  .object({
    componentAppId: z.string(),
    name: z.string(),
    enabled: z.boolean(),
    error: problemView
      .optional()
      .describe('Why the platform, its ticket or its token is unreadable'),
    ticket: ticketView
      .pick({ createTime: true, receivedAt: true, ageSeconds: true, expiresAt: true, stale: true })
      .nullable()
      .describe('null where none has arrived'),
    token: tokenView
      .omit({ componentAppId: true, componentAccessToken: true })
      .nullable()
      .describe('null where it cannot be read'),
    accounts: z.object({
      active: count,
      revoked: count,
      needsReauthorization: count,
      suspended: count,
      lateSeconds: z.number().describe('Since the oldest refresh that is due was due; 0 for none'),
    }),
    deliveries: z.object({
      pending: count.describe(`${MOST_PENDING} at the most`),
      deadOfDay: count.describe(
        `Given up within 24 hours and still dead, among the newest ${MOST_DEAD} dead ones`,
      ),
    }),
    subscriptions: z
      .object({
        well: count,
        failing: count.describe('Enabled, and their targets fail'),
        disabled: count,
        unreadable: count,
      })
      .describe('Those that name this platform, and those for all platforms'),
  })
  .meta({ id: 'PlatformOverview' });
export type PlatformOverviewView = z.infer<typeof platformOverviewView>;

export const overviewView = z
  .object({
    at: timeView,
    countedAt: timeView.describe('When accounts and deliveries were counted: seconds ago'),
    platforms: z.array(platformOverviewView),
  })
  .meta({ id: 'Overview' });
export type OverviewView = z.infer<typeof overviewView>;

const { appId: _, infoType: __, componentVerifyTicket: ___, ...ticket } = ticketViewExample;
const { componentAppId, componentAccessToken: ____, ...token } = tokenViewExample;

export const overviewExample: OverviewView = {
  at: '2026-11-22T08:00:00.000Z',
  countedAt: '2026-11-22T07:59:58.000Z',
  platforms: [
    {
      componentAppId,
      name: 'Main platform',
      enabled: true,
      ticket,
      token,
      accounts: {
        active: 1200,
        revoked: 31,
        needsReauthorization: 2,
        suspended: 1,
        lateSeconds: 0,
      },
      deliveries: { pending: 4, deadOfDay: 0 },
      subscriptions: { well: 3, failing: 1, disabled: 0, unreadable: 0 },
    },
  ],
};
