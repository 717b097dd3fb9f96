import { Controller, Get, Inject } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Clock } from '../common/clock.js';
import { isoTime } from '../common/times.js';
import { APP_CONFIG, SETTING_SOURCES, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { HostStore, SILENT_MS } from '../database/host.store.js';
import { ApiBearer, ApiJson } from '../http/api-docs.js';
import { timeView } from '../http/field-schemas.js';
import { remarkOf, toRemarkView } from '../http/remark-view.js';
import { HostRecorder } from './host.recorder.js';

const instanceView = z
  .object({
    version: z.string().nullable().describe('Null where it is not known'),
    node: z.string().describe('Version of Node.js'),
    startedAt: timeView.describe('When this host was started'),
    database: z.enum(['sqlite', 'mysql']),
    hosts: z
      .array(
        z.object({
          id: z.string().describe('Another one at each start'),
          name: z.string().describe('Of the machine or container'),
          pid: z.int(),
          version: z.string().nullable(),
          startedAt: timeView,
          lastSeenAt: timeView.describe("Once a minute, by the host's own clock"),
          running: z.boolean().describe(`Whether it was seen in the last ${SILENT_MS / 1000} s`),
          answers: z.boolean().describe('Whether it is the one that gives this answer'),
        }),
      )
      .describe(
        'Those that share the database; one that stops is removed, one that dies in a day. Empty where the database does not answer',
      ),
    publicUrl: z.string(),
    urls: z
      .object({
        events: z.string(),
        messages: z.string(),
        authorization: z.string(),
      })
      .describe('What WeChat and customers call; `{componentAppId}` is that of the platform'),
    retentionDays: z.object({
      events: z.number(),
      messages: z.number(),
      audit: z.number(),
      statistics: z.number(),
    }),
    limits: z.object({
      previousKeyHours: z.number(),
      callbackTimestampWindowSeconds: z.number(),
      deliveryTimeoutMs: z.number(),
      gatewayTimeoutMs: z.number(),
      gatewayBodyBytes: z.number(),
      gatewayConcurrency: z.number(),
      authorizerWarmDays: z.number(),
    }),
    returnOrigins: z.array(z.string()).describe('Where a browser may go after an authorization'),
    allowedTargets: z.array(z.string()).describe('Private targets that deliveries may call'),
    gatewayHosts: z.array(z.string()),
    warnings: z.array(z.string()).describe('What was said about the settings at the start'),
    warningRemarks: z.array(remarkOf('warnings')),
    settings: z.array(
      z.object({
        name: z.string(),
        source: z.enum(SETTING_SOURCES).describe('`file`: one that `…_FILE` names'),
        value: z
          .string()
          .nullable()
          .describe('`set` in the place of a secret; null where there is none'),
        meaning: z.string(),
      }),
    ),
  })
  .meta({ id: 'Instance' });
type InstanceView = z.infer<typeof instanceView>;

const example: InstanceView = {
  version: '0.1.0',
  node: '20.20.2',
  startedAt: '2026-11-22T08:00:00.000Z',
  database: 'mysql',
  hosts: [
    {
      id: '6f1c0f1e-5c3c-4a51-9d0f-0a7b8f4f5c11',
      name: 'hub-1',
      pid: 1,
      version: '0.1.0',
      startedAt: '2026-11-22T08:00:00.000Z',
      lastSeenAt: '2026-11-22T09:30:00.000Z',
      running: true,
      answers: true,
    },
  ],
  publicUrl: 'https://wechat.example.com',
  urls: {
    events: 'https://wechat.example.com/callback/{componentAppId}/events',
    messages: 'https://wechat.example.com/callback/{componentAppId}/messages/$APPID$',
    authorization: 'https://wechat.example.com/authorize/{componentAppId}',
  },
  retentionDays: { events: 7, messages: 7, audit: 400, statistics: 400 },
  limits: {
    previousKeyHours: 168,
    callbackTimestampWindowSeconds: 600,
    deliveryTimeoutMs: 15_000,
    gatewayTimeoutMs: 30_000,
    gatewayBodyBytes: 67_108_864,
    gatewayConcurrency: 250,
    authorizerWarmDays: 7,
  },
  returnOrigins: ['https://app.example.com'],
  allowedTargets: ['10.0.0.0/8'],
  gatewayHosts: [],
  warnings: [],
  warningRemarks: [],
  settings: [
    {
      name: 'ADMIN_TOKEN',
      source: '.env',
      value: 'set',
      meaning: 'bearer token of /admin and /api',
    },
  ],
};

/** `/admin/instance`: what this hub is, and how it is set up. */
@ApiTags('instance')
@ApiBearer()
@Controller('admin/instance')
export class InstanceController {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly database: Database,
    private readonly hosts: HostStore,
    private readonly recorder: HostRecorder,
    private readonly clock: Clock,
  ) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({
    summary: 'Version, addresses, limits and settings of the host that answers, and all hosts',
    description: 'Of secrets it says that they are set.',
  })
  @ApiJson(instanceView, example)
  async get(): Promise<InstanceView> {
    const { config } = this;
    const { version, startedAt } = this.recorder.host;
    const { publicUrl, delivery, gateway } = config;
    return {
      version,
      node: process.versions.node,
      startedAt: isoTime(startedAt),
      database: this.database.dialect,
      hosts: await this.hostViews(),
      publicUrl,
      urls: {
        events: `${publicUrl}/callback/{componentAppId}/events`,
        messages: `${publicUrl}/callback/{componentAppId}/messages/$APPID$`,
        authorization: `${publicUrl}/authorize/{componentAppId}`,
      },
      retentionDays: {
        events: config.eventRetentionDays,
        messages: config.messageRetentionDays,
        audit: config.auditRetentionDays,
        statistics: config.statisticsRetentionDays,
      },
      limits: {
        previousKeyHours: config.previousKeyHours,
        callbackTimestampWindowSeconds: config.callbackTimestampWindowSeconds,
        deliveryTimeoutMs: delivery.timeoutMs,
        gatewayTimeoutMs: gateway.timeoutMs,
        gatewayBodyBytes: gateway.bodyLimit,
        gatewayConcurrency: gateway.concurrency,
        authorizerWarmDays: config.authorizerWarmDays,
      },
      returnOrigins: config.authorizationReturnOrigins,
      allowedTargets: delivery.allowedTargets,
      gatewayHosts: gateway.hosts,
      warnings: [...config.warnings],
      warningRemarks: config.warnings.map(toRemarkView),
      settings: [...config.settings],
    };
  }

  private async hostViews(): Promise<InstanceView['hosts']> {
    const silentSince = this.clock.now() - SILENT_MS;
    // What a hub is shows without its database, too.
    return (await this.hosts.all().catch(() => [])).map(({ startedAt, lastSeenAt, ...host }) => ({
      ...host,
      startedAt: isoTime(startedAt),
      lastSeenAt: isoTime(lastSeenAt),
      running: lastSeenAt > silentSince,
      answers: host.id === this.recorder.host.id,
    }));
  }
}
