import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { Clock } from '../common/clock.js';
import { ApiComponentAppId } from '../component/component-app-id.js';
import { TokenService } from './token.service.js';
import {
  accessTokenExample,
  accessTokenView,
  invalidateBody,
  toAccessTokenView,
  type AccessTokenView,
} from './token.views.js';
import { appidParam } from '../http/field-schemas.js';

/**
 * `/api/components/…/access-token`: tokens for the company's own services. Plain reads come from the
 * `TokenReadListener`, past Nest's pipes.
 */
@ApiTags('api')
@ApiBearer()
@Controller('api/components/:componentAppId/access-token')
export class TokenController {
  constructor(
    private readonly tokens: TokenService,
    private readonly clock: Clock,
  ) {}

  @Get()
  @Scope('token:read')
  @ApiOperation({
    operationId: 'getComponentAccessToken',
    summary: 'A component_access_token that works',
  })
  @ApiComponentAppId()
  @ApiHubError(502, 'wechat_api_failed', 'There is no valid token and WeChat gave none')
  @ApiHubError(503, 'ticket_missing', 'There is no valid token and no ticket to get one')
  @ApiJson(accessTokenView, accessTokenExample)
  async get(
    @Param('componentAppId', { schema: appidParam }) appid: string,
  ): Promise<AccessTokenView> {
    return toAccessTokenView(await this.tokens.current(appid), this.clock.now());
  }

  @Post('invalidate')
  @Scope('token:refresh')
  @HttpCode(200)
  @Audited('token.invalidate')
  @ApiOperation({
    operationId: 'invalidateComponentAccessToken',
    summary: 'Report a token that WeChat refused (40001, 40014, 42001); get the current one',
    description:
      'Refreshed only if it is still the current one: one exchange however many report it, at ' +
      'most one such refresh per 30 s.',
  })
  @ApiComponentAppId()
  @ApiHubError(502, 'wechat_api_failed', 'The token is refused and WeChat gave no other')
  @ApiJson(accessTokenView, accessTokenExample)
  async invalidate(
    @Param('componentAppId', { schema: appidParam }) appid: string,
    @Body({ schema: invalidateBody }) { token }: z.infer<typeof invalidateBody>,
  ): Promise<AccessTokenView> {
    return toAccessTokenView(await this.tokens.invalidate(appid, token), this.clock.now());
  }
}
