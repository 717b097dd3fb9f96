import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Controller, Get, Inject } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Clock } from '../common/clock.js';
import { isoTime } from '../common/times.js';
import { APP_CONFIG, SETTING_SOURCES, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { ApiBearer, ApiJson } from '../http/api-docs.js';
import { timeView } from '../http/list-query.js';
import { remarkOf, toRemarkView } from '../http/remark-view.js';

const instanceView = z
  .object({
    version: z.string().nullable().describe('Null where it is not known'),
    node: z.string().describe('Version of Node.js'),
    startedAt: timeView.describe('When this host was started'),
    database: z.enum(['sqlite', 'mysql']),
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
  private readonly startedAt: number;
  private readonly version = packageVersion();

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly database: Database,
    clock: Clock,
  ) {
    this.startedAt = clock.now();
  }

  @Get()
  @Scope('admin:read')
  @ApiOperation({
    summary: 'Version, addresses, limits and settings of the host that answers',
    description: 'Of secrets it says that they are set.',
  })
  @ApiJson(instanceView, example)
  get(): InstanceView {
    const { config } = this;
    const { publicUrl, delivery, gateway } = config;
    return {
      version: this.version,
      node: process.versions.node,
      startedAt: isoTime(this.startedAt),
      database: this.database.dialect,
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
}

/** Of the `package.json` beside the built program; null where somebody has taken it along alone. */
function packageVersion(): string | null {
  try {
    const text = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8');
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return null;
  }
}
