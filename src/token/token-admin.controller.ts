import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import {
  ApiBearer,
  ApiHubError,
  ApiJson,
  revealQuery,
  type RevealQuery,
} from '../http/api-docs.js';
import { Clock } from '../common/clock.js';
import { ApiComponentAppId } from '../component/component-app-id.js';
import { ComponentService } from '../component/component.service.js';
import { TokenService } from './token.service.js';
import { toTokenView, tokenView, tokenViewExample, type TokenView } from './token.views.js';
import { appidParam } from '../http/field-schemas.js';

/** `/admin/tokens`: inspection and manual refresh of the component_access_tokens. */
@ApiTags('tokens')
@ApiBearer()
@Controller('admin/tokens')
export class TokenAdminController {
  constructor(
    private readonly tokens: TokenService,
    private readonly components: ComponentService,
    private readonly clock: Clock,
  ) {}

  @Get()
  @Scope('admin:read')
  @Audited('token.reveal', { shows: 'asked' })
  @ApiOperation({ summary: 'The component_access_token of every third-party platform' })
  @ApiJson(z.array(tokenView), [tokenViewExample])
  async list(@Query({ schema: revealQuery }) { reveal }: RevealQuery): Promise<TokenView[]> {
    const components = await this.components.list();
    const readable = components.filter(({ problem }) => !problem);
    return Promise.all(readable.map(({ appid }) => this.view(appid, reveal)));
  }

  @Get(':componentAppId')
  @Scope('admin:read')
  @Audited('token.reveal', { shows: 'asked' })
  @ApiOperation({ summary: 'The component_access_token of one third-party platform' })
  @ApiComponentAppId()
  @ApiJson(tokenView, tokenViewExample)
  async get(
    @Param('componentAppId', { schema: appidParam }) appid: string,
    @Query({ schema: revealQuery }) { reveal }: RevealQuery,
  ): Promise<TokenView> {
    return this.view(appid, reveal);
  }

  @Post(':componentAppId/refresh')
  @Scope('token:refresh')
  @HttpCode(200)
  @Audited('token.refresh')
  @ApiOperation({
    summary: 'Refresh now, due or not',
    description:
      'The old token works for about 5 more minutes. One exchange, however many ask, and at most ' +
      'one in 10 s: a further request is answered with the current token.',
  })
  @ApiComponentAppId()
  @ApiHubError(429, 'refresh_too_soon', 'The last one is less than 10 s ago and gave no token')
  @ApiHubError(502, 'wechat_api_failed', 'WeChat refused; errcode and rid say why')
  @ApiHubError(503, 'ticket_missing', 'There is no ticket that WeChat would take')
  @ApiJson(tokenView, tokenViewExample)
  async refresh(
    @Param('componentAppId', { schema: appidParam }) appid: string,
  ): Promise<TokenView> {
    await this.tokens.refreshNow(appid);
    return this.view(appid, false);
  }

  private async view(appid: string, reveal: boolean): Promise<TokenView> {
    return toTokenView(appid, await this.tokens.inspect(appid), this.clock.now(), reveal);
  }
}
