import {
  Controller,
  Get,
  Headers,
  Inject,
  Ip,
  Param,
  Query,
  Res,
  UseFilters,
} from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { HubError } from '../common/hub-error.js';
import { LogBrake } from '../common/log-brake.js';
import { currentRequestId } from '../common/request-context.js';
import { Secret } from '../common/secret.js';
import { senderOf } from '../common/source-address.js';
import { componentAppIdParam } from '../component/component-app-id.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { AuthorizationCodeService } from './authorization-code.service.js';
import {
  AuthorizationLinkService,
  LINK_KINDS,
  type LinkWish,
} from './authorization-link.service.js';
import { AuthorizePageFilter } from './authorize-page.filter.js';
import {
  authorizedPage,
  authorizePage,
  preferredLanguage,
  sendPage,
  strayPage,
  unfinishedPage,
  type Language,
} from './authorize-page.js';
import { linkFields } from './authorizer.views.js';

const pageQuery = z.object({
  auth_type: linkFields.authType,
  biz_appid: linkFields.bizAppId,
  category_id_list: linkFields.categoryIdList,
  state: linkFields.state,
  return_to: linkFields.returnTo,
});
type PageQuery = z.infer<typeof pageQuery>;
const clickQuery = pageQuery.extend({ kind: z.enum(LINK_KINDS) });
const callbackQuery = z.object({
  auth_code: z.string().min(1).max(1024),
  request: z.string().max(36).optional(),
});

/** The headers of a browser that matter. */
interface BrowserHeaders {
  'accept-language'?: string;
  'user-agent'?: string;
  referer?: string;
}

type Outcome =
  | { result: 'authorized'; authorizer_appid: string }
  | { result: 'pending' | 'failed'; error: string };

/**
 * `/authorize`: the page for the account's administrator, the way from its links to WeChat, and
 * WeChat's way back. Looking at the page asks nothing of WeChat: a pre_auth_code is fetched for a
 * click, since anybody may look and WeChat counts.
 */
@ApiExcludeController()
@UseFilters(AuthorizePageFilter)
@Controller('authorize/:componentAppId')
export class AuthorizeController {
  constructor(
    private readonly links: AuthorizationLinkService,
    private readonly codes: AuthorizationCodeService,
    private readonly brake: LogBrake,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  @Get()
  async show(
    @Param('componentAppId', { schema: componentAppIdParam }) componentAppId: string,
    @Query({ schema: pageQuery }) query: PageQuery,
    @Headers() headers: BrowserHeaders,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.links.check(toWish(componentAppId, query));
    // Relative, so that the browser names the host of this page as the one it comes from.
    const href = (kind: string): string => `./${componentAppId}/go?${toSearch({ kind, ...query })}`;
    const hrefs = { pc: href('pc'), h5: href('h5') };
    const onPhone = /Mobi/i.test(headers['user-agent'] ?? '');
    sendPage(reply, 200, authorizePage(languageOf(headers), hrefs, onPhone));
  }

  @Get('go')
  async go(
    @Param('componentAppId', { schema: componentAppIdParam }) componentAppId: string,
    @Query({ schema: clickQuery }) { kind, ...query }: z.infer<typeof clickQuery>,
    @Headers() headers: BrowserHeaders,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const wish = toWish(componentAppId, query);
    const { publicUrl } = this.config;
    // WeChat would refuse whoever comes from elsewhere, and a code would be lost.
    if (hostOf(headers.referer) !== hostOf(publicUrl)) {
      await this.links.check(wish);
      const page = `${publicUrl}/authorize/${componentAppId}?${toSearch(query)}`;
      sendPage(reply, 403, strayPage(languageOf(headers), page));
      return;
    }
    const link = await this.links.open(kind, wish);
    // The Referer stays that of the page: what WeChat wants to see.
    void reply
      .headers({ 'cache-control': 'no-store', 'referrer-policy': 'origin' })
      .redirect(link, 302);
  }

  @Get('callback')
  async finish(
    @Param('componentAppId', { schema: componentAppIdParam }) componentAppId: string,
    @Query({ schema: callbackQuery }) query: z.infer<typeof callbackQuery>,
    @Headers() headers: BrowserHeaders,
    @Ip() sourceAddress: string,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const request = query.request
      ? await this.links.request(componentAppId, query.request)
      : undefined;
    const code = new Secret(query.auth_code);
    const known = await this.codes.isKnown(componentAppId, code);
    const wasReal = known ? undefined : this.links.admitCode(componentAppId, request);
    const result = await this.consume(componentAppId, code, sourceAddress);
    if (result.result === 'authorized') wasReal?.();
    if (request?.returnTo) {
      const target = new URL(request.returnTo);
      for (const [name, value] of Object.entries(result)) target.searchParams.set(name, value);
      if (request.state !== null) target.searchParams.set('state', request.state);
      void reply.header('cache-control', 'no-store').redirect(target.href, 302);
      return;
    }
    const language = languageOf(headers);
    const html =
      result.result === 'authorized'
        ? authorizedPage(language, result.authorizer_appid)
        : unfinishedPage(language, result.result, result.error, currentRequestId() ?? '');
    sendPage(reply, 200, html);
  }

  /** Whatever happens, the browser gets a page, or goes back with the outcome. */
  private async consume(
    componentAppId: string,
    code: Secret,
    sourceAddress: string,
  ): Promise<Outcome> {
    try {
      const id = await this.codes.consume({ componentAppId, code, source: 'redirect' });
      return { result: 'authorized', authorizer_appid: id.authorizerAppId };
    } catch (error) {
      if (!(error instanceof HubError) || error.status === 404) throw error;
      this.brake.log(`return ${error.code}`, senderOf(sourceAddress), {
        level: 'warn',
        message: 'A return from the authorization page had no result',
        fields: { componentAppId, code: error.code },
        error,
      });
      // The code is on record, and tried again until WeChat has answered.
      const pending = error.code === 'authorization_in_progress';
      return { result: pending ? 'pending' : 'failed', error: error.code };
    }
  }
}

function toWish(componentAppId: string, query: PageQuery): LinkWish {
  return {
    componentAppId,
    authType: query.auth_type,
    bizAppId: query.biz_appid,
    categoryIdList: query.category_id_list,
    state: query.state,
    returnTo: query.return_to,
  };
}

function toSearch(query: Record<string, string | undefined>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => !!entry[1]);
  return new URLSearchParams(given).toString();
}

function languageOf(headers: BrowserHeaders): Language {
  return preferredLanguage(headers['accept-language']);
}

function hostOf(url = ''): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined;
}
