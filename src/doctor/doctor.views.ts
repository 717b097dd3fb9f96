import { z } from 'zod';
import { timeView } from '../http/field-schemas.js';
import { CHECK_STATUSES } from './findings.js';
import { remarkOf } from '../http/remark-view.js';

export const CHECK_IDS = [
  'settings',
  'files',
  'admin_token',
  'database',
  'server',
  'schema',
  'disk',
  'replication',
  'database_clock',
  'hosts',
  'keys',
  'proxy',
  'wechat',
  'clock',
  'public_url',
  'outside',
  'admin',
  'platforms',
  'refused_pushes',
  'subscriptions',
  'values',
  'ticket',
  'credentials',
  'egress',
  'token',
  'accounts',
  'refreshes',
  'permissions',
  'asked',
  'push',
] as const;
export type CheckId = (typeof CHECK_IDS)[number];

export const doctorCheckView = z
  .object({
    id: z.enum(CHECK_IDS),
    componentAppId: z.string().nullable().describe('The platform, where it is about one'),
    status: z.enum(CHECK_STATUSES),
    code: z.string().describe('What was found, for programs'),
    facts: z
      .record(z.string(), z.union([z.string(), z.number()]))
      .describe('The figures and names in `seen` and `remedy`'),
    seen: z.string(),
    remedy: z.string().nullable().describe('What to do; null where nothing is'),
    docs: z
      .string()
      .nullable()
      .describe('Document and heading in the repository of the hub; null where nothing is to do'),
    details: z.array(z.string()).describe('What it is about, one line each; 50 at the most'),
    messageRemark: remarkOf('facts.message'),
    detailRemarks: z.array(remarkOf('details')),
    milliseconds: z.int(),
  })
  .meta({ id: 'DoctorCheck' });
export type DoctorCheckView = z.infer<typeof doctorCheckView>;

export const doctorView = z
  .object({
    at: timeView,
    milliseconds: z.int(),
    checks: z.array(doctorCheckView),
  })
  .meta({ id: 'Doctor' });
export type DoctorView = z.infer<typeof doctorView>;

export const doctorExample: DoctorView = {
  at: '2026-11-22T08:00:00.000Z',
  milliseconds: 84,
  checks: [
    {
      id: 'ticket',
      componentAppId: 'wx0123456789abcdef',
      status: 'ok',
      code: 'ticket_ok',
      facts: { minutes: 4 },
      seen: 'The newest ticket is 4 min old',
      remedy: null,
      docs: null,
      details: [],
      messageRemark: null,
      detailRemarks: [],
      milliseconds: 3,
    },
  ],
};
