import type { SimulatorContext } from './api-route.js';
import type { Authorization } from './authorization.js';
import {
  buildEvent,
  consent,
  pushIfTargeted,
  type Consent,
  type ConsentOptions,
} from './authorization-flow.js';
import type { AuthorizationSettings } from './authorization-settings.js';
import type { AuthorizationCounts } from './authorizer-book.js';
import type { EventFields } from './push-text.js';
import {
  checkFuncInfo,
  FakeAccount,
  type AccountBatch,
  type AccountOptions,
} from './fake-account.js';
import type { FakeComponent } from './fake-component.js';
import type { BuiltPush } from './push-builder.js';
import type { PushResult } from './pusher.js';
import { checkedRefusal, type CurrentToken, type TokenRefusal } from './token-book.js';
import { SimulatorError } from './wechat-error.js';

/** Accounts that are authorized from the start, without a code or an event. */
export interface PreAuthorized {
  /** The component they are authorized to. */
  authorizedTo?: string | undefined;
  /** Whether api_get_authorizer_list shows them; default `true`. */
  exchanged?: boolean | undefined;
}

/** Whether an event is pushed. */
export interface EventOptions {
  /** Default: if the component has a `pushUrl`. The result is awaited. */
  push?: boolean | undefined;
}

/** What a consent led to. */
export interface AuthorizeResult extends Pick<Consent, 'code' | 'expiresAt' | 'infoType'> {
  /** The event, to be pushed later or twice; `null` when WeChat would send none. */
  event: BuiltPush | null;
  /** How its push ended, `null` when it was not pushed. */
  push: PushResult | null;
}

/** What a withdrawal led to. */
export type WithdrawResult = Pick<AuthorizeResult, 'event' | 'push'>;

/** What the simulator knows of one authorization. */
export interface AuthorizationState {
  authorized: boolean;
  exchanged: boolean;
  /** Of the last consent, Unix seconds. */
  authTime: number;
  funcInfo: number[];
  refreshToken: string | null;
  accessToken: CurrentToken | null;
}

/** The tokens of one account, as the platform would have got them by refreshing. */
export interface IssuedTokens {
  account: string;
  accessToken: string;
  refreshToken: string;
  /** Of the access token, Unix milliseconds. */
  expiresAtMs: number;
}

/** Which accounts are issued tokens. */
export interface IssueRange {
  /** Place of the first one in the order of api_get_authorizer_list; default 0. */
  offset?: number | undefined;
  /** Default 500. */
  count?: number | undefined;
  /** Default as the settings say. */
  lifeSeconds?: number | undefined;
}

/** Accounts, what they decide, and what the simulator knows of their authorizations. */
export class Accounts {
  constructor(private readonly context: SimulatorContext) {}

  /** Adds one account or thousands; answers their appids. */
  add(options: (AccountOptions | AccountBatch) & PreAuthorized): string[] {
    const { authorizedTo, exchanged = true, ...account } = options;
    const { authorizers } = this.context;
    const component = authorizedTo === undefined ? null : this.context.components.get(authorizedTo);
    const accounts = 'count' in account ? FakeAccount.batch(account) : [FakeAccount.from(account)];
    const appids: string[] = [];
    for (const added of accounts) {
      authorizers.add(added);
      appids.push(added.appid);
      if (!component) continue;
      const authorization = authorizers.grant(component.appid, added);
      if (exchanged) authorizers.markExchanged(authorization);
    }
    return appids;
  }

  /** An account consents, for the first time or again. */
  async authorize(
    componentAppid: string,
    accountAppid: string,
    options: ConsentOptions & EventOptions = {},
  ): Promise<AuthorizeResult> {
    checkFuncInfo(options.funcInfo);
    const component = this.context.components.get(componentAppid);
    const account = this.context.authorizers.account(accountAppid);
    const given = consent(this.context, component, account, options);
    const { code, expiresAt, infoType, event } = given;
    const push = await this.pushAsAsked(component, event, options);
    return { code, expiresAt, infoType, event, push };
  }

  /** Like `authorize`, of an account that is authorized: 409 otherwise. */
  async reauthorize(
    componentAppid: string,
    accountAppid: string,
    options: ConsentOptions & EventOptions = {},
  ): Promise<AuthorizeResult> {
    this.authorized(componentAppid, accountAppid);
    return this.authorize(componentAppid, accountAppid, options);
  }

  /** An account takes its consent back. */
  async withdraw(
    componentAppid: string,
    accountAppid: string,
    options: EventOptions = {},
  ): Promise<WithdrawResult> {
    const component = this.context.components.get(componentAppid);
    this.context.authorizers.withdraw(this.authorized(componentAppid, accountAppid));
    const fields = { AuthorizerAppid: accountAppid };
    const event = buildEvent(this.context, component, 'unauthorized', fields);
    return { event, push: await this.pushAsAsked(component, event, options) };
  }

  /** Builds an event of any InfoType without sending it. */
  buildEvent(
    componentAppid: string,
    infoType: string,
    fields: EventFields = {},
    options: { createTime?: number | undefined } = {},
  ): BuiltPush {
    const component = this.context.components.get(componentAppid);
    return buildEvent(this.context, component, infoType, fields, options.createTime);
  }

  /** Builds and sends an event of any InfoType, e.g. notify_third_fasteregister. */
  async pushEvent(
    componentAppid: string,
    infoType: string,
    fields: EventFields = {},
    options: { createTime?: number | undefined; url?: string | undefined } = {},
  ): Promise<PushResult> {
    const event = this.buildEvent(componentAppid, infoType, fields, options);
    return this.context.pusher.push(
      this.context.components.get(componentAppid),
      event,
      options.url,
    );
  }

  /**
   * Issues access tokens to many accounts without a call of the API: for filling the database of
   * a platform that has been running for a while.
   */
  issueTokens(componentAppid: string, range: IssueRange = {}): IssuedTokens[] {
    const { offset = 0, count = 500, lifeSeconds } = range;
    const { authorizers } = this.context;
    const list = authorizers.listOf(this.context.components.get(componentAppid).appid);
    return list.slice(offset, offset + count).map((authorization) => ({
      account: authorization.account.appid,
      accessToken: authorizers.issueAccess(authorization, lifeSeconds),
      refreshToken: authorizers.refreshText(authorization),
      expiresAtMs: authorization.accessExpiresAtMs,
    }));
  }

  /** The account's newest access token, `null` when none works. */
  currentToken(componentAppid: string, accountAppid: string): CurrentToken | null {
    const authorization = this.known(componentAppid, accountAppid);
    return authorization ? this.context.authorizers.currentAccess(authorization) : null;
  }

  /** The account's refresh token, `null` when it is not authorized. */
  refreshTokenOf(componentAppid: string, accountAppid: string): string | null {
    const authorization = this.known(componentAppid, accountAppid);
    return authorization?.authorized ? this.context.authorizers.refreshText(authorization) : null;
  }

  /** Whether an authorizer access token works, be it the newest or one replaced just now. */
  isTokenValid(token: string): boolean {
    try {
      return this.context.authorizers.requireOwner(token).authorized;
    } catch {
      return false;
    }
  }

  /** Refuses the working tokens of one account or of all; answers how many there were. */
  expireTokens(
    componentAppid: string,
    options: { account?: string | undefined; errcode?: TokenRefusal | undefined } = {},
  ): number {
    const { account, errcode } = options;
    const refusal = checkedRefusal(errcode);
    const { authorizers, now } = this.context;
    const { appid } = this.context.components.get(componentAppid);
    const meant =
      account === undefined
        ? authorizers.authorizationsOf(appid)
        : [this.authorized(appid, account)];
    let count = 0;
    for (const authorization of meant) count += authorization.voidWorkingAccess(now(), refusal);
    return count;
  }

  /** Changes how authorizations are treated; answers all settings. */
  configure(change: Partial<AuthorizationSettings> = {}): AuthorizationSettings {
    const { authorizers } = this.context;
    authorizers.configure(change);
    return { ...authorizers.settings };
  }

  /** Everything about one authorization, `null` when there never was one. */
  authorizationOf(componentAppid: string, accountAppid: string): AuthorizationState | null {
    const authorization = this.known(componentAppid, accountAppid);
    if (!authorization) return null;
    const { authorized, exchanged, authTime, funcInfo } = authorization;
    return {
      authorized,
      exchanged,
      authTime,
      funcInfo: [...funcInfo],
      refreshToken: this.refreshTokenOf(componentAppid, accountAppid),
      accessToken: this.currentToken(componentAppid, accountAppid),
    };
  }

  /** Numbers of a component's authorizations; looks at each, so not to be asked in a loop. */
  counts(componentAppid: string): AuthorizationCounts {
    return this.context.authorizers.counts(this.context.components.get(componentAppid).appid);
  }

  private known(componentAppid: string, accountAppid: string): Authorization | undefined {
    const { authorizers } = this.context;
    const account = authorizers.account(accountAppid);
    return authorizers.find(this.context.components.get(componentAppid).appid, account.appid);
  }

  private authorized(componentAppid: string, accountAppid: string): Authorization {
    const authorization = this.known(componentAppid, accountAppid);
    if (authorization?.authorized) return authorization;
    throw new SimulatorError(`${accountAppid} has not authorized ${componentAppid}`, 409);
  }

  private async pushAsAsked(
    component: FakeComponent,
    event: BuiltPush | null,
    { push }: EventOptions,
  ): Promise<PushResult | null> {
    if (push === false || !event) return null;
    if (push) return this.context.pusher.push(component, event);
    return pushIfTargeted(this.context, component, event);
  }
}
