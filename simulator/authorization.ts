import type { FakeAccount } from './fake-account.js';
import { REPLACED_TOKEN_GRACE_MS, type TokenRefusal } from './token-book.js';

/** A replaced token's number and until when it still works, Unix milliseconds. */
interface Replaced {
  generation: number;
  untilMs: number;
}

/**
 * One account and one component: authorized or not, and which of its tokens work. Tokens are
 * known by their number only; the texts are made by the `Sealer`.
 *
 *     (never) --grant--> authorized --withdraw--> withdrawn --grant--> authorized
 *                        grant again: access tokens void, refresh token stays
 *     a grant after a withdrawal: a new refresh token
 */
export class Authorization {
  authorized = false;
  /** api_get_authorizer_list leaves an authorization out until its code was exchanged once. */
  exchanged = false;
  /** Of the last grant, Unix seconds. */
  authTime = 0;
  funcInfo: readonly number[] = [];
  refreshGeneration = 0;
  accessGeneration = 0;
  /** Unix milliseconds; 0 before the first access token. */
  accessExpiresAtMs = 0;
  private replacedRefresh: Replaced | null = null;
  private replacedAccess: Replaced[] | null = null;
  private voidedUpTo = 0;
  private voidedAs: TokenRefusal = 40001;

  constructor(
    /** Number among all authorizations of the simulator. */
    readonly index: number,
    readonly componentAppid: string,
    readonly account: FakeAccount,
  ) {}

  /** The account consents: a new authorization, or a change of one that voids its access tokens. */
  grant(nowMs: number, funcInfo: readonly number[], rotateRefreshToken = false): void {
    const fresh = !this.authorized;
    if (fresh || rotateRefreshToken) {
      this.refreshGeneration += 1;
      this.replacedRefresh = null;
    }
    if (fresh) this.exchanged = false;
    this.authorized = true;
    this.authTime = Math.floor(nowMs / 1000);
    this.funcInfo = funcInfo;
    this.voidAccess(40001);
  }

  /** The account takes its consent back: refresh token and access tokens are void. */
  withdraw(): void {
    this.authorized = false;
    this.exchanged = false;
    this.replacedRefresh = null;
    this.voidAccess(40001);
  }

  /** A new access token; the one it replaces works five more minutes, as a component's does. */
  issueAccess(nowMs: number, lifeSeconds: number): void {
    if (this.accessGeneration > this.voidedUpTo && nowMs < this.accessExpiresAtMs) {
      const untilMs = nowMs + REPLACED_TOKEN_GRACE_MS;
      const kept = this.replacedAccess?.filter((replaced) => replaced.untilMs > nowMs) ?? [];
      this.replacedAccess = [...kept, { generation: this.accessGeneration, untilMs }];
    }
    this.accessGeneration += 1;
    this.accessExpiresAtMs = Math.round(nowMs + lifeSeconds * 1000);
  }

  /** Why an access token is refused; `null`: it works. */
  accessRefusal(generation: number, expiresAtMs: number, nowMs: number): TokenRefusal | null {
    if (generation <= this.voidedUpTo) return this.voidedAs;
    if (nowMs >= expiresAtMs) return 42001;
    if (generation === this.accessGeneration) return null;
    const works = this.replacedAccess?.some(
      (replaced) => replaced.generation === generation && nowMs < replaced.untilMs,
    );
    return works ? null : 40001;
  }

  hasWorkingAccess(nowMs: number): boolean {
    const { accessGeneration, accessExpiresAtMs } = this;
    return this.accessRefusal(accessGeneration, accessExpiresAtMs, nowMs) === null;
  }

  /** Voids every access token, the replaced ones too; answers how many worked until now. */
  voidWorkingAccess(nowMs: number, refusal: TokenRefusal): number {
    const inGrace = this.replacedAccess?.filter((replaced) => nowMs < replaced.untilMs).length ?? 0;
    const count = inGrace + (this.hasWorkingAccess(nowMs) ? 1 : 0);
    this.voidAccess(refusal);
    return count;
  }

  /** A new refresh token; the one it replaces works five more minutes (staff answer). */
  rotateRefresh(nowMs: number): void {
    const untilMs = nowMs + REPLACED_TOKEN_GRACE_MS;
    this.replacedRefresh = { generation: this.refreshGeneration, untilMs };
    this.refreshGeneration += 1;
  }

  acceptsRefresh(generation: number, nowMs: number): boolean {
    if (!this.authorized) return false;
    if (generation === this.refreshGeneration) return true;
    const { replacedRefresh } = this;
    return replacedRefresh?.generation === generation && nowMs < replacedRefresh.untilMs;
  }

  private voidAccess(refusal: TokenRefusal): void {
    this.voidedUpTo = this.accessGeneration;
    this.voidedAs = refusal;
    this.replacedAccess = null;
  }
}
