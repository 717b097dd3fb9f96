import { Authorization } from './authorization.js';
import {
  checkAuthorizationSettings,
  defaultAuthorizationSettings,
  type AuthorizationSettings,
} from './authorization-settings.js';
import { FakeAccount } from './fake-account.js';
import { newCode } from './random-values.js';
import { Sealer } from './sealed-value.js';
import type { CurrentToken } from './token-book.js';
import { SimulatorError, WechatError } from './wechat-error.js';

/** Under a load test codes are issued by the thousand; the oldest are forgotten beyond this. */
const REMEMBERED = 200_000;

interface IssuedCode<T> {
  value: T;
  /** Unix milliseconds. */
  expiresAtMs: number;
  uses: number;
}

/** What became of a code. */
type CodeState<T> = { state: 'unknown' | 'used' | 'expired' } | { state: 'valid'; value: T };

/** Codes that are good for a limited time and a limited number of uses. */
class CodeBook<T> {
  private readonly codes = new Map<string, IssuedCode<T>>();

  /** @param prefix what each code begins with, e.g. `preauthcode@@@`. */
  constructor(private readonly prefix: string) {}

  /** Issues a code that works until `expiresAtMs`, Unix milliseconds. */
  issue(value: T, expiresAtMs: number): string {
    const code = newCode(this.prefix);
    this.codes.set(code, { value, expiresAtMs, uses: 0 });
    if (this.codes.size > REMEMBERED) {
      // A Map iterates in the order of insertion, so the first key is the oldest.
      for (const oldest of this.codes.keys()) {
        this.codes.delete(oldest);
        break;
      }
    }
    return code;
  }

  /** Looks at a code without using it; a used one stays `used` when it has also expired. */
  look(code: string, nowMs: number, maxUses = 1): CodeState<T> {
    const issued = this.codes.get(code);
    if (!issued) return { state: 'unknown' };
    if (issued.uses >= maxUses) return { state: 'used' };
    if (nowMs >= issued.expiresAtMs) return { state: 'expired' };
    return { state: 'valid', value: issued.value };
  }

  /** Counts one use. */
  use(code: string): void {
    const issued = this.codes.get(code);
    if (issued) issued.uses += 1;
  }
}

/** What an authorization code means. */
export interface Granted {
  authorization: Authorization;
  /** A withdrawal since then makes the code invalid. */
  refreshGeneration: number;
}

/** Numbers of one component's authorizations. */
export interface AuthorizationCounts {
  /** Accounts known to the simulator, authorized or not. */
  accounts: number;
  authorized: number;
  /** Those that api_get_authorizer_list shows. */
  listed: number;
  /** Authorized ones whose newest access token works. */
  withWorkingToken: number;
  /** Access tokens ever issued. */
  tokensIssued: number;
}

/** All accounts, their authorizations, the codes and tokens in between. */
export class AuthorizerBook {
  readonly accounts = new Map<string, FakeAccount>();
  /** The value is the component appid. */
  readonly preAuthCodes = new CodeBook<string>('preauthcode@@@');
  readonly codes = new CodeBook<Granted>('queryauthcode@@@');
  readonly settings: AuthorizationSettings = defaultAuthorizationSettings();
  private readonly sealer = new Sealer();
  private readonly all: Authorization[] = [];
  private readonly byComponent = new Map<string, Map<string, Authorization>>();
  /** What api_get_authorizer_list shows, dropped by every change. */
  private readonly lists = new Map<string, Authorization[]>();

  constructor(private readonly now: () => number) {}

  configure(change: Partial<AuthorizationSettings>): void {
    checkAuthorizationSettings(change);
    Object.assign(this.settings, change);
  }

  add(account: FakeAccount): void {
    if (this.accounts.has(account.appid)) {
      throw new SimulatorError(`account ${account.appid} exists already`, 409);
    }
    this.accounts.set(account.appid, account);
  }

  account(appid: string): FakeAccount {
    const account = this.accounts.get(appid);
    if (!account) throw new SimulatorError(`no account ${appid}`, 404);
    return account;
  }

  /** The authorization, present or withdrawn; `undefined` when there never was one. */
  find(componentAppid: string, accountAppid: string): Authorization | undefined {
    return this.byComponent.get(componentAppid)?.get(accountAppid);
  }

  /** The account consents (again). */
  grant(
    componentAppid: string,
    account: FakeAccount,
    funcInfo: readonly number[] = account.funcInfo,
    rotateRefreshToken = false,
  ): Authorization {
    const authorization =
      this.find(componentAppid, account.appid) ?? this.create(componentAppid, account);
    authorization.grant(this.now(), funcInfo, rotateRefreshToken);
    this.lists.delete(componentAppid);
    return authorization;
  }

  withdraw(authorization: Authorization): void {
    authorization.withdraw();
    this.lists.delete(authorization.componentAppid);
  }

  /** From now on api_get_authorizer_list shows it. */
  markExchanged(authorization: Authorization): void {
    if (authorization.exchanged) return;
    authorization.exchanged = true;
    this.lists.delete(authorization.componentAppid);
  }

  /** What api_get_authorizer_list shows, in the order of the first authorization. */
  listOf(componentAppid: string): readonly Authorization[] {
    const present = this.lists.get(componentAppid);
    if (present) return present;
    const known = this.byComponent.get(componentAppid)?.values() ?? [];
    const list = [...known].filter(({ authorized, exchanged }) => authorized && exchanged);
    this.lists.set(componentAppid, list);
    return list;
  }

  /** A new access token, whose life is that of the settings unless the caller names another. */
  issueAccess(
    authorization: Authorization,
    lifeSeconds = this.settings.authorizerTokenLifeSeconds,
  ): string {
    authorization.issueAccess(this.now(), lifeSeconds);
    return this.accessText(authorization);
  }

  refreshText({ index, refreshGeneration: generation }: Authorization): string {
    return this.sealer.seal({ kind: 'refresh', index, generation, expiresAtMs: 0 });
  }

  /** The newest access token, unless it no longer works. */
  currentAccess(authorization: Authorization): CurrentToken | null {
    if (!authorization.hasWorkingAccess(this.now())) return null;
    const { accessExpiresAtMs: expiresAtMs } = authorization;
    return { value: this.accessText(authorization), expiresAtMs };
  }

  acceptsRefresh(authorization: Authorization, text: unknown): boolean {
    const sealed = typeof text === 'string' ? this.sealer.open(text) : null;
    if (sealed?.kind !== 'refresh' || sealed.index !== authorization.index) return false;
    return authorization.acceptsRefresh(sealed.generation, this.now());
  }

  /** Whose access token it is, working or not; `null` for what is none of ours. */
  ownerOf(text: string): Authorization | null {
    const sealed = this.sealer.open(text);
    return sealed?.kind === 'access' ? (this.all[sealed.index] ?? null) : null;
  }

  /** Whose working access token it is; 40001 or 42001 otherwise. */
  requireOwner(text: string): Authorization {
    const sealed = this.sealer.open(text);
    const owner = sealed?.kind === 'access' ? this.all[sealed.index] : undefined;
    if (!sealed || !owner) throw new WechatError(40001);
    const refusal = owner.accessRefusal(sealed.generation, sealed.expiresAtMs, this.now());
    if (refusal) throw new WechatError(refusal);
    return owner;
  }

  /** A component's authorizations, present and withdrawn. */
  authorizationsOf(componentAppid: string): Iterable<Authorization> {
    return this.byComponent.get(componentAppid)?.values() ?? [];
  }

  counts(componentAppid: string): AuthorizationCounts {
    const nowMs = this.now();
    const listed = this.listOf(componentAppid).length;
    const counts = { authorized: 0, listed, withWorkingToken: 0, tokensIssued: 0 };
    for (const authorization of this.authorizationsOf(componentAppid)) {
      counts.tokensIssued += authorization.accessGeneration;
      if (!authorization.authorized) continue;
      counts.authorized += 1;
      if (authorization.hasWorkingAccess(nowMs)) counts.withWorkingToken += 1;
    }
    return { accounts: this.accounts.size, ...counts };
  }

  private accessText(authorization: Authorization): string {
    const { index, accessGeneration: generation, accessExpiresAtMs: expiresAtMs } = authorization;
    return this.sealer.seal({ kind: 'access', index, generation, expiresAtMs });
  }

  private create(componentAppid: string, account: FakeAccount): Authorization {
    const authorization = new Authorization(this.all.length, componentAppid, account);
    this.all.push(authorization);
    const known = this.byComponent.get(componentAppid) ?? new Map<string, Authorization>();
    this.byComponent.set(componentAppid, known.set(account.appid, authorization));
    return authorization;
  }
}
