import { Controller, Get, Header, Logger, Param, Query, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { HubError } from '../common/hub-error.js';
import { currentRequestId } from '../common/request-context.js';
import { Secret } from '../common/secret.js';
import { componentAppIdParam } from '../component/component-app-id.js';
import { AuthorizationCodeService } from './authorization-code.service.js';
import { AuthorizationLinkService } from './authorization-link.service.js';
import { authorizedPage, authorizePage, unfinishedPage } from './authorize-page.js';
import { linkFields } from './authorizer.views.js';

const pageQuery = z.object({
  auth_type: linkFields.authType,
  biz_appid: linkFields.bizAppId,
  category_id_list: linkFields.categoryIdList,
  state: linkFields.state,
  return_to: linkFields.returnTo,
});
const callbackQuery = z.object({
  auth_code: z.string().min(1).max(1024),
  request: z.string().max(36).optional(),
});

type Outcome =
  | { result: 'authorized'; authorizer_appid: string }
  | { result: 'pending' | 'failed'; error: string };

/** `/authorize`: the page for the account's administrator, and WeChat's way back. */
@ApiExcludeController()
@Controller('authorize/:componentAppId')
export class AuthorizeController {
  private readonly logger = new Logger(AuthorizeController.name);

  constructor(
    private readonly links: AuthorizationLinkService,
    private readonly codes: AuthorizationCodeService,
  ) {}

  @Get()
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('cache-control', 'no-store')
  // WeChat checks where the click came from.
  @Header('referrer-policy', 'unsafe-url')
  async show(
    @Param('componentAppId', { schema: componentAppIdParam }) componentAppId: string,
    @Query({ schema: pageQuery }) query: z.infer<typeof pageQuery>,
  ): Promise<string> {
    const links = await this.links.create({
      componentAppId,
      authType: query.auth_type,
      bizAppId: query.biz_appid,
      categoryIdList: query.category_id_list,
      state: query.state,
      returnTo: query.return_to,
    });
    return authorizePage(links);
  }

  @Get('callback')
  async finish(
    @Param('componentAppId', { schema: componentAppIdParam }) componentAppId: string,
    @Query({ schema: callbackQuery }) query: z.infer<typeof callbackQuery>,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const request = query.request
      ? await this.links.request(componentAppId, query.request)
      : undefined;
    const result = await this.consume(componentAppId, query.auth_code);
    if (request?.returnTo) {
      const target = new URL(request.returnTo);
      for (const [name, value] of Object.entries(result)) target.searchParams.set(name, value);
      if (request.state !== null) target.searchParams.set('state', request.state);
      void reply.redirect(target.href, 302);
      return;
    }
    const html =
      result.result === 'authorized'
        ? authorizedPage(result.authorizer_appid)
        : unfinishedPage(result.result, result.error, currentRequestId() ?? '');
    void reply.header('content-type', 'text/html; charset=utf-8').send(html);
  }

  /** Whatever happens, the browser gets a page, or goes back with the outcome. */
  private async consume(componentAppId: string, authCode: string): Promise<Outcome> {
    try {
      const code = new Secret(authCode);
      const id = await this.codes.consume({ componentAppId, code, source: 'redirect' });
      return { result: 'authorized', authorizer_appid: id.authorizerAppId };
    } catch (error) {
      if (!(error instanceof HubError) || error.status === 404) throw error;
      this.logger.warn('A return from the authorization page had no result', error);
      // The code is on record, and tried again until WeChat has answered.
      const pending = error.code === 'authorization_in_progress';
      return { result: pending ? 'pending' : 'failed', error: error.code };
    }
  }
}
