import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { Clock } from '../common/clock.js';
import type { ServableState } from '../token-engine/token-state.js';
import { invalidateBody, secondsLeft } from '../token/token.views.js';
import { AuthorizerTokenService } from './authorizer-token.service.js';
import { appidParam } from '../http/field-schemas.js';

const componentQuery = z.object({ component: appidParam.optional() });
const view = z
  .object({
    authorizer_access_token: z.string(),
    expires_in: z.int().describe('Seconds left'),
  })
  .meta({ id: 'AuthorizerAccessToken' });
type View = z.infer<typeof view>;
const example: View = { authorizer_access_token: 'fake_authorizer_access_token', expires_in: 7100 };

/**
 * `/api/authorizers/…/access-token`: tokens for calls on behalf of an account. Plain reads come from
 * the `TokenReadListener`, past Nest's pipes.
 */
@ApiTags('api')
@ApiBearer()
@ApiHubError(404, 'authorizer_unknown', 'No such account has authorized a platform here')
@ApiHubError(
  409,
  'needs_reauthorization',
  'The account has to authorize again. Also authorizer_suspended and authorizer_without_api',
)
@ApiHubError(410, 'authorizer_revoked', 'The account has withdrawn its authorization')
@ApiHubError(502, 'wechat_api_failed', 'There is no token that works and WeChat gave none')
@ApiHubError(
  503,
  'refresh_in_progress',
  'There is no token that works yet. Also refresh_failed and database_unavailable, and ' +
    'ticket_missing where the platform has no token of its own',
)
@Controller('api/authorizers/:authorizerAppId/access-token')
export class AuthorizerTokenController {
  constructor(
    private readonly tokens: AuthorizerTokenService,
    private readonly clock: Clock,
  ) {}

  @Get()
  @Scope('token:read')
  @ApiOperation({
    operationId: 'getAuthorizerAccessToken',
    summary: 'An authorizer_access_token that works',
  })
  @ApiHubError(400, 'component_ambiguous', 'Authorized to several platforms: name one')
  @ApiJson(view, example)
  async get(
    @Param('authorizerAppId', { schema: appidParam }) appid: string,
    @Query({ schema: componentQuery }) { component }: z.infer<typeof componentQuery> = {},
  ): Promise<View> {
    return this.toView(await this.tokens.current(appid, component));
  }

  @Post('invalidate')
  @Scope('token:refresh')
  @HttpCode(200)
  @Audited('authorizer.invalidate')
  @ApiOperation({
    operationId: 'invalidateAuthorizerAccessToken',
    summary: 'Report a token that WeChat refused; get the current one',
  })
  @ApiJson(view, example)
  async invalidate(
    @Param('authorizerAppId', { schema: appidParam }) appid: string,
    @Query({ schema: componentQuery }) { component }: z.infer<typeof componentQuery>,
    @Body({ schema: invalidateBody }) { token }: z.infer<typeof invalidateBody>,
  ): Promise<View> {
    return this.toView(await this.tokens.invalidate(appid, token, component));
  }

  private toView(state: ServableState): View {
    return {
      authorizer_access_token: state.token.reveal(),
      expires_in: secondsLeft(state, this.clock.now()),
    };
  }
}
