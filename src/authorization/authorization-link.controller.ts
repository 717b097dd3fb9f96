import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { AuditService } from '../auth/audit.service.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { AuthorizationLinkService } from './authorization-link.service.js';
import { linksBody, linksView } from './authorization-link.views.js';
import { isoTime } from '../common/times.js';

/** `/admin/authorizations`: links by which an account authorizes. */
@ApiTags('authorizers')
@ApiBearer()
@Controller('admin/authorizations')
export class AuthorizationLinkController {
  constructor(
    private readonly links: AuthorizationLinkService,
    private readonly audit: AuditService,
  ) {}

  @Post('links')
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('authorization.link')
  @ApiOperation({
    summary: 'Make the PC and the H5 link; each works once',
    description:
      'WeChat wants a click from a page on the registered domain: `/authorize` is one, and fetches ' +
      'its codes itself. `authType`: 1 official accounts, 2 mini programs, 3 both (default), others ' +
      'as in the documentation of WeChat. `bizAppId`: only this account. `categoryIdList`: ids of ' +
      'permission sets, joined with `|`. At the end the browser is sent to `returnTo` with a ' +
      '`result_id`, for which `GET /api/authorizations/:id` gives the account and `state`.',
  })
  @ApiHubError(400, 'return_to_not_allowed', 'The origin of returnTo is not on the allow list')
  @ApiHubError(404, 'component_unknown', 'No such third-party platform is registered')
  @ApiHubError(403, 'component_disabled', 'This third-party platform is disabled')
  @ApiHubError(502, 'wechat_api_failed', 'WeChat refused; errcode and rid say why')
  @ApiHubError(503, 'ticket_missing', 'There is no ticket to get the token of the platform with')
  @ApiJson(linksView, {
    pc: 'https://mp.weixin.qq.com/cgi-bin/componentloginpage?component_appid=wx0123456789abcdef&pre_auth_code=preauthcode%40%40%40fake1&redirect_uri=https%3A%2F%2Fhub.example.com%2Fauthorize%2Fwx0123456789abcdef%2Fcallback%3Frequest%3D1&auth_type=3',
    h5: 'https://open.weixin.qq.com/wxaopen/safe/bindcomponent?action=bindcomponent&no_scan=1&component_appid=wx0123456789abcdef&pre_auth_code=preauthcode%40%40%40fake2&redirect_uri=https%3A%2F%2Fhub.example.com%2Fauthorize%2Fwx0123456789abcdef%2Fcallback%3Frequest%3D1&auth_type=3#wechat_redirect',
    expiresAt: '2026-11-22T08:30:00.000Z',
  })
  async create(
    @Body({ schema: linksBody }) wish: z.infer<typeof linksBody>,
  ): Promise<z.infer<typeof linksView>> {
    this.audit.about(wish.componentAppId);
    const { pc, h5, expiresAt } = await this.links.create(wish);
    return { pc, h5, expiresAt: isoTime(expiresAt) };
  }
}
