import { Controller, Get, Headers, Inject, Ip, Param, Query, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { preferredLanguage, sendPage, type Language } from '../http/html-page.js';
import { Clock } from '../common/clock.js';
import { isRecent } from '../common/clock-trust.js';
import { HubError } from '../common/hub-error.js';
import { LogBrake } from '../common/log-brake.js';
import { currentRequestId } from '../common/request-context.js';
import { Secret } from '../common/secret.js';
import { senderOf } from '../common/source-address.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { SecretBox } from '../secrets/secret-box.js';
import { AuthorizationCodeService } from './authorization-code.service.js';
import type { ArrivedCode } from './authorization-code.store.js';
import {
  AuthorizationLinkService,
  LINK_KINDS,
  type LinkWish,
} from './authorization-link.service.js';
import { linkFields } from './authorization-link.views.js';
import type { AuthorizationRequest } from './authorization-request.entity.js';
import { AuthorizationRequestStore } from './authorization-request.store.js';
import { AuthorizationResultService } from './authorization-result.service.js';
import {
  authorizedPage,
  authorizePage,
  cancelledPage,
  strayPage,
  unfinishedPage,
} from './authorize-page.js';
import type { Visitor } from './code-visitors.js';
import { appidParam } from '../http/field-schemas.js';

const pageQuery = z.object({
  auth_type: linkFields.authType,
  biz_appid: linkFields.bizAppId,
  category_id_list: linkFields.categoryIdList,
  state: linkFields.state,
  return_to: linkFields.returnTo,
});
type PageQuery = z.infer<typeof pageQuery>;
const clickQuery = pageQuery.extend({
  kind: z.enum(LINK_KINDS),
  page: z.string().max(64).optional(),
});
const callbackQuery = z.object({
  auth_code: z.string().max(1024).optional(),
  request: z.string().max(36).optional(),
});

/** How long the links of a page work after it was shown, in milliseconds. */
const PAGE_LIFE_MS = 15 * 60_000;
const PAGE_PURPOSE = 'authorization page';

/** The headers of a browser that matter. */
interface BrowserHeaders {
  'accept-language'?: string;
  'user-agent'?: string;
  /** Where the click was made, from browsers that say so. */
  'sec-fetch-site'?: string;
}

type Outcome =
  | { result: 'authorized'; authorizerAppId: string }
  | { result: 'pending' | 'failed'; error: string };

/** Errors of codes that are recorded: one is tried again until WeChat has answered. */
const UNFINISHED: Record<string, 'pending' | 'failed'> = {
  authorization_in_progress: 'pending',
  authorization_code_refused: 'failed',
};

/**
 * `/authorize`: the page for the account's administrator, the way from its links to WeChat, and
 * WeChat's way back. Looking at the page asks nothing of WeChat: a pre_auth_code is fetched for a
 * click, since anybody may look and WeChat counts.
 */
@ApiExcludeController()
@Controller('authorize/:componentAppId')
export class AuthorizeController {
  constructor(
    private readonly links: AuthorizationLinkService,
    private readonly codes: AuthorizationCodeService,
    private readonly requests: AuthorizationRequestStore,
    private readonly results: AuthorizationResultService,
    private readonly box: SecretBox,
    private readonly clock: Clock,
    private readonly brake: LogBrake,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  @Get()
  @Scope('none')
  async show(
    @Param('componentAppId', { schema: appidParam }) componentAppId: string,
    @Query({ schema: pageQuery }) query: PageQuery,
    @Headers() headers: BrowserHeaders,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.links.check(toWish(componentAppId, query));
    // Relative, so that the browser names the host of this page as the one it comes from.
    const page = this.pageToken(componentAppId);
    const href = (kind: string): string =>
      `./${componentAppId}/go?${toSearch({ kind, ...query, page })}`;
    const hrefs = { pc: href('pc'), h5: href('h5') };
    const onPhone = /Mobi/i.test(headers['user-agent'] ?? '');
    sendPage(reply, 200, authorizePage(languageOf(headers), hrefs, onPhone));
  }

  @Get('go')
  @Scope('none')
  async go(
    @Param('componentAppId', { schema: appidParam }) componentAppId: string,
    @Query({ schema: clickQuery }) { kind, page, ...query }: z.infer<typeof clickQuery>,
    @Headers() headers: BrowserHeaders,
    @Ip() address: string,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const wish = toWish(componentAppId, query);
    await this.links.check(wish);
    // WeChat would refuse who comes from elsewhere, and a code would be lost.
    if (!this.isClick(componentAppId, page, headers)) {
      const start = `${this.config.publicUrl}/authorize/${componentAppId}?${toSearch(query)}`;
      sendPage(reply, 403, strayPage(languageOf(headers), start));
      return;
    }
    const link = await this.links.open(kind, wish, address);
    // The Referer stays that of the page: what WeChat wants to see.
    void reply
      .headers({ 'cache-control': 'no-store', 'referrer-policy': 'origin' })
      .redirect(link, 302);
  }

  @Get('callback')
  @Scope('none')
  async finish(
    @Param('componentAppId', { schema: appidParam }) componentAppId: string,
    @Query({ schema: callbackQuery }) query: z.infer<typeof callbackQuery>,
    @Headers() headers: BrowserHeaders,
    @Ip() address: string,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const language = languageOf(headers);
    const request = query.request
      ? await this.links.request(componentAppId, query.request)
      : undefined;
    if (!query.auth_code) {
      await this.giveUp(request, language, reply);
      return;
    }
    const code = {
      componentAppId,
      code: new Secret(query.auth_code),
      request: request?.id ?? null,
    };
    const outcome = await this.consume(code, { address, isCounted: request?.codeHash === null });
    if (request && this.sendOn(request, 'code', reply)) return;
    const html =
      outcome.result === 'authorized'
        ? authorizedPage(language, outcome.authorizerAppId)
        : unfinishedPage(language, outcome.result, outcome.error, currentRequestId() ?? '');
    sendPage(reply, 200, html);
  }

  private isClick(
    componentAppId: string,
    page: string | undefined,
    headers: BrowserHeaders,
  ): boolean {
    const { 'sec-fetch-site': site = 'same-origin' } = headers;
    return site === 'same-origin' && page !== undefined && this.isPageToken(componentAppId, page);
  }

  /**
   * What the links of the page carry: that the page was shown a short while ago, by any host. Without
   * it a click costs nothing.
   */
  private pageToken(componentAppId: string): string {
    const shownAt = this.clock.now();
    const signature = this.box.sign(`${componentAppId} ${shownAt}`, PAGE_PURPOSE);
    return `${shownAt.toString(36)}.${signature}`;
  }

  private isPageToken(componentAppId: string, token: string): boolean {
    const [, time = '', signature = ''] = /^([0-9a-z]{1,10})\.([\w-]{43})$/.exec(token) ?? [];
    const shownAt = Number.parseInt(time, 36);
    if (!isRecent(shownAt, PAGE_LIFE_MS, this.clock.now())) return false;
    return this.box.isSigned(`${componentAppId} ${shownAt}`, PAGE_PURPOSE, signature);
  }

  /** WeChat's page was left without consent. */
  private async giveUp(
    request: AuthorizationRequest | undefined,
    language: Language,
    reply: FastifyReply,
  ): Promise<void> {
    const isOpen = request !== undefined && (await this.requests.giveUp(request.id));
    if (isOpen && this.sendOn(request, 'given up', reply)) return;
    sendPage(reply, 200, cancelledPage(language));
  }

  /** Sends the browser back to where the request came from, with nothing but the result's id. */
  private sendOn(
    request: AuthorizationRequest,
    ending: 'code' | 'given up',
    reply: FastifyReply,
  ): boolean {
    const target = this.links.returnOf(request, this.results.idOf(request, ending));
    if (target === undefined) return false;
    void reply
      .headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
      .redirect(target, 302);
    return true;
  }

  /** @throws {HubError} where the code does not count here, or could not be recorded. */
  private async consume(
    code: Pick<ArrivedCode, 'componentAppId' | 'code' | 'request'>,
    visitor: Visitor,
  ): Promise<Outcome> {
    try {
      const { authorizerAppId } = await this.codes.consume(
        { ...code, source: 'redirect' },
        visitor,
      );
      return { result: 'authorized', authorizerAppId };
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      const result = UNFINISHED[error.code];
      if (!result) throw error;
      this.brake.log(`return ${error.code}`, senderOf(visitor.address), {
        level: 'warn',
        message: 'A return from the authorization page had no result',
        fields: { componentAppId: code.componentAppId, code: error.code },
        error,
      });
      return { result, error: error.code };
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
