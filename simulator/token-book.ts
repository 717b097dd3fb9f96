import { newAccessToken } from './random-values.js';
import { SimulatorError, WechatError } from './wechat-error.js';

/** A replaced token works about five more minutes (staff answer). Milliseconds. */
export const REPLACED_TOKEN_GRACE_MS = 5 * 60 * 1000;

/** Under a load test tokens are issued by the thousand; the oldest are forgotten beyond this. */
const REMEMBERED = 50_000;

/** How WeChat refuses a token: 40001 not latest or unknown, 42001 expired. */
export type TokenRefusal = 40001 | 42001;

/** The refusal that somebody asked for, by default that of an expired token. */
export function checkedRefusal(errcode: TokenRefusal = 42001): TokenRefusal {
  if (errcode === 40001 || errcode === 42001) return errcode;
  throw new SimulatorError('errcode must be 40001 or 42001');
}

interface IssuedToken {
  owner: string;
  expiresAtMs: number;
  /** When a newer token of the same owner was issued. */
  replacedAtMs: number | null;
  voidedAs: TokenRefusal | null;
}

/** A token and the end of its life. */
export interface CurrentToken {
  value: string;
  /** Unix milliseconds. */
  expiresAtMs: number;
}

/** Access tokens by owner (an appid), with WeChat's rules of replacement and expiry. */
export class TokenBook {
  private readonly tokens = new Map<string, IssuedToken>();
  private readonly currentByOwner = new Map<string, string>();

  constructor(private readonly now: () => number) {}

  /** Issues a token that replaces the owner's present one. */
  issue(owner: string, lifeSeconds: number): string {
    const nowMs = this.now();
    const previous = this.tokens.get(this.currentByOwner.get(owner) ?? '');
    if (previous) previous.replacedAtMs = nowMs;
    const value = newAccessToken();
    const expiresAtMs = nowMs + lifeSeconds * 1000;
    this.tokens.set(value, { owner, expiresAtMs, replacedAtMs: null, voidedAs: null });
    this.currentByOwner.set(owner, value);
    this.forgetOldest();
    return value;
  }

  /** The owner of a working token; throws 40001 or 42001 otherwise. */
  ownerOf(value: string): string {
    const token = this.tokens.get(value);
    if (!token) throw new WechatError(40001);
    const refusal = this.refusalOf(token);
    if (refusal) throw new WechatError(refusal);
    return token.owner;
  }

  /** The owner's newest token, unless it no longer works. */
  current(owner: string): CurrentToken | null {
    const value = this.currentByOwner.get(owner);
    const token = value === undefined ? undefined : this.tokens.get(value);
    if (value === undefined || !token || this.refusalOf(token)) return null;
    return { value, expiresAtMs: token.expiresAtMs };
  }

  /** Makes every working token of the owner, the replaced ones too, refused at once. */
  void(owner: string, errcode?: TokenRefusal): number {
    const voidedAs = checkedRefusal(errcode);
    let count = 0;
    for (const token of this.tokens.values()) {
      if (token.owner !== owner || this.refusalOf(token)) continue;
      token.voidedAs = voidedAs;
      count += 1;
    }
    return count;
  }

  private refusalOf(token: IssuedToken): TokenRefusal | null {
    const nowMs = this.now();
    if (token.voidedAs) return token.voidedAs;
    if (nowMs >= token.expiresAtMs) return 42001;
    const replaced =
      token.replacedAtMs !== null && nowMs >= token.replacedAtMs + REPLACED_TOKEN_GRACE_MS;
    return replaced ? 40001 : null;
  }

  private forgetOldest(): void {
    if (this.tokens.size <= REMEMBERED) return;
    for (const oldest of this.tokens.keys()) {
      this.tokens.delete(oldest);
      break;
    }
  }
}
