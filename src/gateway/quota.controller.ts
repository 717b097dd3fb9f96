import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Audited } from '../auth/audit.interceptor.js';
import { Scope } from '../auth/scope.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { QuotaService, type Quota } from './quota.service.js';
import { appidParam } from '../http/field-schemas.js';

const quotaQuery = z.object({
  path: z
    .string()
    .regex(/^\/?[\w-]+(?:\/[\w-]+)*$/)
    .max(256)
    .describe('A path of WeChat’s, such as `cgi-bin/message/custom/send`'),
});
type QuotaQuery = z.output<typeof quotaQuery>;
const limits = z.looseObject({}).optional();
const quotaView = z
  .object({
    quota: limits.describe('`daily_limit`, `used` and `remain`, of today in China'),
    rate_limit: limits.describe('`call_count` and `refresh_second`'),
    component_rate_limit: limits.describe('The same, of the platform'),
  })
  .meta({ id: 'Quota' });
const quotaExample = { quota: { daily_limit: 5000, used: 1, remain: 4999 } };
const clearedView = z.object({ cleared: z.literal(true) }).meta({ id: 'QuotaCleared' });
type Cleared = z.infer<typeof clearedView>;

/** `…/quota`, `…/clear-quota` of platforms and accounts: the calls that WeChat still takes today. */
@ApiTags('quota')
@ApiBearer()
@ApiHubError(404, 'component_unknown', 'No such platform. Also authorizer_unknown')
@ApiHubError(502, 'wechat_api_failed', 'WeChat refused; errcode and rid say why')
@Controller('admin')
export class QuotaController {
  constructor(private readonly quotas: QuotaService) {}

  @Get('components/:componentAppId/quota')
  @Scope('admin:read')
  @ApiOperation({ summary: 'How many calls of a path the platform has left today, by WeChat' })
  @ApiHubError(400, 'bad_request', 'That is no path of WeChat’s')
  @ApiJson(quotaView, quotaExample)
  getOfPlatform(
    @Param('componentAppId', { schema: appidParam }) componentAppId: string,
    @Query({ schema: quotaQuery }) { path }: QuotaQuery,
  ): Promise<Quota> {
    return this.quotas.get({ componentAppId }, path);
  }

  @Get('authorizers/:componentAppId/:authorizerAppId/quota')
  @Scope('admin:read')
  @ApiOperation({ summary: 'How many calls of a path the account has left today, by WeChat' })
  @ApiHubError(400, 'bad_request', 'That is no path of WeChat’s')
  @ApiJson(quotaView, quotaExample)
  getOfAccount(
    @Param('componentAppId', { schema: appidParam }) componentAppId: string,
    @Param('authorizerAppId', { schema: appidParam }) authorizerAppId: string,
    @Query({ schema: quotaQuery }) { path }: QuotaQuery,
  ): Promise<Quota> {
    return this.quotas.get({ componentAppId, authorizerAppId }, path);
  }

  @Post('components/:componentAppId/clear-quota')
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('component.clear_quota')
  @ApiOperation({
    summary: 'Have WeChat count the platform’s calls from nothing; 10 times a month',
  })
  @ApiJson(clearedView, { cleared: true })
  async clearOfPlatform(
    @Param('componentAppId', { schema: appidParam }) componentAppId: string,
  ): Promise<Cleared> {
    await this.quotas.clear({ componentAppId });
    return { cleared: true };
  }

  @Post('authorizers/:componentAppId/:authorizerAppId/clear-quota')
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('authorizer.clear_quota')
  @ApiOperation({ summary: 'Have WeChat count the account’s calls from nothing; 10 times a month' })
  @ApiJson(clearedView, { cleared: true })
  async clearOfAccount(
    @Param('componentAppId', { schema: appidParam }) componentAppId: string,
    @Param('authorizerAppId', { schema: appidParam }) authorizerAppId: string,
  ): Promise<Cleared> {
    await this.quotas.clear({ componentAppId, authorizerAppId });
    return { cleared: true };
  }
}
