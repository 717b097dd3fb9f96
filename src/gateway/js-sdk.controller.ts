import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { AuthorizerTokenService } from '../authorizer/authorizer-token.service.js';
import { Clock } from '../common/clock.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { secondsLeft } from '../token/token.views.js';
import { signPage, type JsSdkSignature } from './js-sdk.js';
import { JS_TICKET_TYPES, JsTicketService } from './js-ticket.service.js';
import { appidParam } from '../http/field-schemas.js';

const component = appidParam.optional();
const ticketQuery = z.object({ component, type: z.enum(JS_TICKET_TYPES).default('jsapi') });
const signatureQuery = z.object({ component });
const signatureBody = z
  .object({
    url: z
      .url({ protocol: /^https?$/ })
      .max(2048)
      .describe('Of the page, as the browser has it'),
  })
  .meta({ id: 'JsSdkPage' });

const ticketView = z
  .object({ ticket: z.string(), expires_in: z.int().describe('Seconds left') })
  .meta({ id: 'JsSdkTicket' });
const signatureView = z
  .object({
    appId: z.string(),
    timestamp: z.int().describe('Unix seconds'),
    nonceStr: z.string(),
    signature: z.string(),
    url: z.string().describe('As it was signed: without its fragment'),
  })
  .meta({ id: 'JsSdkSignature' });
const signatureExample: JsSdkSignature = {
  appId: 'wxabcdef0123456789',
  timestamp: 1_764_000_000,
  nonceStr: 'b7d1f0c2a3e4958671625340',
  signature: '0f9de62fce790f9a083d5c99e95740ceb90c27ed',
  url: 'https://shop.example.com/cart?id=1',
};

/** What pages of an account need for WeChat's JS-SDK. */
@ApiTags('api')
@ApiBearer()
@ApiHubError(404, 'authorizer_unknown', 'No such account has authorized a platform here')
@ApiHubError(409, 'needs_reauthorization', 'The account has to authorize again')
@ApiHubError(410, 'authorizer_revoked', 'The account has withdrawn its authorization')
@ApiHubError(502, 'wechat_api_failed', 'There is no ticket that works and WeChat gave none')
@ApiHubError(503, 'refresh_in_progress', 'There is no ticket that works yet. Also refresh_failed')
@Controller('api/authorizers/:authorizerAppId')
export class JsSdkController {
  constructor(
    private readonly tickets: JsTicketService,
    private readonly authorizers: AuthorizerTokenService,
    private readonly clock: Clock,
  ) {}

  @Get('jsapi-ticket')
  @Scope('token:read')
  @ApiOperation({ summary: 'A ticket for pages of an account' })
  @ApiHubError(400, 'component_ambiguous', 'Authorized to several platforms: name one')
  @ApiJson(ticketView, { ticket: 'fake_jsapi_ticket', expires_in: 7100 })
  async getTicket(
    @Param('authorizerAppId', { schema: appidParam }) authorizerAppId: string,
    @Query({ schema: ticketQuery }) query: z.output<typeof ticketQuery>,
  ): Promise<z.infer<typeof ticketView>> {
    const id = await this.authorizers.idOf(authorizerAppId, query.component);
    const state = await this.tickets.current(id, query.type);
    const expires_in = secondsLeft(state, this.clock.now());
    return { ticket: state.token.reveal(), expires_in };
  }

  @Post('jssdk-signature')
  @Scope('token:read')
  @HttpCode(200)
  @ApiOperation({
    summary: 'The signature of a page, for wx.config',
    description: 'It changes nothing and leaves no record: it is asked for with each page.',
  })
  @ApiHubError(400, 'component_ambiguous', 'Authorized to several platforms: name one')
  @ApiJson(signatureView, signatureExample)
  async signPage(
    @Param('authorizerAppId', { schema: appidParam }) authorizerAppId: string,
    @Query({ schema: signatureQuery }) query: z.output<typeof signatureQuery>,
    @Body({ schema: signatureBody }) { url }: z.output<typeof signatureBody>,
  ): Promise<JsSdkSignature> {
    const id = await this.authorizers.idOf(authorizerAppId, query.component);
    const { token } = await this.tickets.current(id, 'jsapi');
    const page = { appId: authorizerAppId, ticket: token.reveal(), url };
    return signPage(page, this.clock.now());
  }
}
