import { Readable } from 'node:stream';
import {
  Body,
  Controller,
  Get,
  HttpCode,
  Param,
  Post,
  Query,
  StreamableFile,
} from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { AuthorizerInfoService } from './authorizer-info.service.js';
import { AuthorizerTokenService } from './authorizer-token.service.js';
import { AuthorizerService } from './authorizer.service.js';
import {
  authorizerDetailView,
  authorizerListQuery,
  authorizerListView,
  authorizerView,
  authorizerViewExample,
  exportCsv,
  toAuthorizerView,
  toDetailView,
  type AuthorizerListQuery,
  type AuthorizerView,
} from './authorizer.views.js';
import { appidParam } from '../http/field-schemas.js';

const optionName = z.string().regex(/^[a-z_]{1,64}$/);
const optionBody = z
  .strictObject({ value: z.string().max(64) })
  .meta({ id: 'AuthorizerOptionValue' });
const optionView = z
  .object({ name: z.string(), value: z.string() })
  .meta({ id: 'AuthorizerOption' });
const optionExample = { name: 'voice_recognize', value: '1' };

const ApiUnknownAuthorizer = (): MethodDecorator =>
  ApiHubError(404, 'authorizer_unknown', 'No such account has authorized a platform here');

/** `/admin/authorizers`: the accounts that authorized a third-party platform. */
@ApiTags('authorizers')
@ApiBearer()
@Controller('admin/authorizers')
export class AuthorizerAdminController {
  constructor(
    private readonly authorizers: AuthorizerService,
    private readonly tokens: AuthorizerTokenService,
    private readonly infos: AuthorizerInfoService,
  ) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({
    summary: 'List accounts, by platform and appid',
    description:
      'Filter by component, status, type, account status, a permission set that is lacking and a ' +
      'token that cannot be refreshed; search in appid, names and original id. Page with `after` ' +
      'until `next` is null: a page of what is rare may have few accounts, or none.',
  })
  @ApiJson(authorizerListView, { authorizers: [authorizerViewExample], next: null })
  async list(
    @Query({ schema: authorizerListQuery }) query: AuthorizerListQuery,
  ): Promise<z.infer<typeof authorizerListView>> {
    const { rows, next } = await this.authorizers.list(query);
    return { authorizers: rows.map(toAuthorizerView), next };
  }

  @Get('export')
  @Scope('admin:read')
  @Audited('authorizer.export', { shows: 'always' })
  @ApiOperation({ summary: 'The accounts of a filter as CSV; no secrets' })
  @ApiProduces('text/csv')
  @ApiResponse({
    status: 200,
    description: 'CSV',
    schema: { type: 'string', example: 'component_appid,authorizer_appid,…' },
  })
  export(@Query({ schema: authorizerListQuery }) query: AuthorizerListQuery): StreamableFile {
    const { limit: _, after: __, ...filter } = query;
    const rows = this.authorizers.all(filter);
    return new StreamableFile(Readable.from(exportCsv(rows)), {
      type: 'text/csv; charset=utf-8',
      disposition: 'attachment; filename="authorizers.csv"',
    });
  }

  @Get(':componentAppId/:authorizerAppId')
  @ApiUnknownAuthorizer()
  @Scope('admin:read')
  @ApiOperation({ summary: 'One account, with its history' })
  @ApiJson(authorizerDetailView, {
    ...authorizerViewExample,
    info: { nick_name: '示例公众号' },
    history: [
      { at: '2026-11-22T08:00:00.000Z', what: 'authorized', detail: { source: 'redirect' } },
    ],
  })
  async get(
    @Param('componentAppId', { schema: appidParam }) componentAppId: string,
    @Param('authorizerAppId', { schema: appidParam }) authorizerAppId: string,
  ): Promise<z.infer<typeof authorizerDetailView>> {
    return toDetailView(await this.authorizers.detail({ componentAppId, authorizerAppId }));
  }

  @Post(':componentAppId/:authorizerAppId/refresh')
  @ApiUnknownAuthorizer()
  @Scope('token:refresh')
  @HttpCode(200)
  @Audited('authorizer.refresh')
  @ApiOperation({ summary: 'Refresh the authorizer_access_token now' })
  @ApiHubError(
    409,
    'needs_reauthorization',
    'The account has to authorize again. Also authorizer_suspended and authorizer_without_api',
  )
  @ApiHubError(410, 'authorizer_revoked', 'The account has withdrawn its authorization')
  @ApiHubError(429, 'refresh_too_soon', 'The last one is less than 10 s ago and gave no token')
  @ApiHubError(502, 'wechat_api_failed', 'WeChat refused; errcode and rid say why')
  @ApiJson(authorizerView, authorizerViewExample)
  async refresh(
    @Param('componentAppId', { schema: appidParam }) componentAppId: string,
    @Param('authorizerAppId', { schema: appidParam }) authorizerAppId: string,
  ): Promise<AuthorizerView> {
    const id = { componentAppId, authorizerAppId };
    await this.authorizers.get(id);
    await this.tokens.refreshNow(id);
    return toAuthorizerView(await this.authorizers.get(id));
  }

  @Post(':componentAppId/:authorizerAppId/info')
  @ApiUnknownAuthorizer()
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('authorizer.fetch_info')
  @ApiOperation({
    summary: 'Fetch what WeChat knows of the account now',
    description: 'Names, verification, permission sets, and whether the authorization holds.',
  })
  @ApiHubError(502, 'wechat_api_failed', 'WeChat refused; errcode and rid say why')
  @ApiJson(authorizerView, authorizerViewExample)
  async fetchInfo(
    @Param('componentAppId', { schema: appidParam }) componentAppId: string,
    @Param('authorizerAppId', { schema: appidParam }) authorizerAppId: string,
  ): Promise<AuthorizerView> {
    const id = { componentAppId, authorizerAppId };
    await this.infos.fetchNow(await this.authorizers.get(id));
    return toAuthorizerView(await this.authorizers.get(id));
  }

  @Get(':componentAppId/:authorizerAppId/options/:name')
  @ApiUnknownAuthorizer()
  @Scope('admin:read')
  @ApiOperation({
    summary: 'Read an option at WeChat: location_report, voice_recognize, customer_service',
  })
  @ApiHubError(400, 'bad_request', 'That is no name of an option')
  @ApiHubError(502, 'wechat_api_failed', 'WeChat refused; errcode and rid say why')
  @ApiJson(optionView, optionExample)
  async getOption(
    @Param('componentAppId', { schema: appidParam }) componentAppId: string,
    @Param('authorizerAppId', { schema: appidParam }) authorizerAppId: string,
    @Param('name', { schema: optionName }) name: string,
  ): Promise<z.infer<typeof optionView>> {
    const id = { componentAppId, authorizerAppId };
    return { name, value: await this.authorizers.getOption(id, name) };
  }

  @Post(':componentAppId/:authorizerAppId/options/:name')
  @ApiUnknownAuthorizer()
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('authorizer.set_option')
  @ApiOperation({ summary: 'Set an option at WeChat' })
  @ApiHubError(400, 'bad_request', 'That is no name of an option')
  @ApiHubError(502, 'wechat_api_failed', 'WeChat refused; errcode and rid say why')
  @ApiJson(optionView, optionExample)
  async setOption(
    @Param('componentAppId', { schema: appidParam }) componentAppId: string,
    @Param('authorizerAppId', { schema: appidParam }) authorizerAppId: string,
    @Param('name', { schema: optionName }) name: string,
    @Body({ schema: optionBody }) { value }: z.infer<typeof optionBody>,
  ): Promise<z.infer<typeof optionView>> {
    await this.authorizers.setOption({ componentAppId, authorizerAppId }, { name, value });
    return { name, value };
  }
}
