import { newAccessToken, newCode } from './random-values.js';
import { WechatError } from './wechat-error.js';

/** A ticket for pages or cards, and web tokens, live two hours; milliseconds. */
const LIFE_MS = 7_200_000;

interface WebUser {
  /** The account whose page or mini program it is. */
  account: string;
  openid: string;
}

/** What pages of accounts and mini programs need: JS tickets, and codes and tokens of users. */
export class WebBook {
  private readonly tickets = new Map<string, { value: string; expiresAtMs: number }>();
  private readonly codes = new Map<string, WebUser & { used: boolean }>();
  private readonly tokens = new Map<string, WebUser & { expiresAtMs: number }>();
  private readonly refreshTokens = new Map<string, WebUser>();

  constructor(private readonly now: () => number) {}

  /** A ticket of its own for each call; the one before stays good, as WeChat's does. */
  issueTicket(account: string, type: string): { value: string; expiresIn: number } {
    const value = newCode(`${type}-ticket-`);
    this.tickets.set(`${account} ${type}`, { value, expiresAtMs: this.now() + LIFE_MS });
    return { value, expiresIn: LIFE_MS / 1000 };
  }

  /** The newest ticket; undefined where none was asked for. */
  ticketOf(account: string, type = 'jsapi'): string | undefined {
    return this.tickets.get(`${account} ${type}`)?.value;
  }

  /** A user opens a page or mini program of the account: its code. */
  issueCode(account: string, openid: string): string {
    const code = newCode('code');
    this.codes.set(code, { account, openid, used: false });
    return code;
  }

  /** 40029 for a code of another account or of nobody, 40163 for a used one. */
  useCode(code: string, account: string): WebUser {
    const found = this.codes.get(code);
    if (found?.account !== account) throw new WechatError(40029);
    if (found.used) throw new WechatError(40163);
    found.used = true;
    return found;
  }

  issueTokens(user: WebUser): object {
    const [access, refresh] = [newAccessToken(), newAccessToken()];
    this.tokens.set(access, { ...user, expiresAtMs: this.now() + LIFE_MS });
    this.refreshTokens.set(refresh, user);
    return {
      access_token: access,
      expires_in: LIFE_MS / 1000,
      refresh_token: refresh,
      openid: user.openid,
      scope: 'snsapi_userinfo',
    };
  }

  /** 40030 for a refresh token of another account or of nobody. */
  refresh(token: string, account: string): object {
    const user = this.refreshTokens.get(token);
    if (user?.account !== account) throw new WechatError(40030);
    return this.issueTokens(user);
  }

  /** Whose token it is: 40001, 42001, or 40003 with another openid. */
  requireUser(token: string, openid: string): WebUser {
    const user = this.tokens.get(token);
    if (!user) throw new WechatError(40001);
    if (this.now() >= user.expiresAtMs) throw new WechatError(42001);
    if (user.openid !== openid) throw new WechatError(40003);
    return user;
  }
}
