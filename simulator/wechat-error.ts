import { newRid } from './random-values.js';

/** The IP that the simulated WeChat claims to see (61004 carries it in the message). */
export const REQUEST_IP = '203.0.113.7';

/** errcode → errmsg, in WeChat's words. */
const MESSAGES: Readonly<Record<number, string>> = {
  [-1]: 'system error',
  40001: 'invalid credential, access_token is invalid or not latest',
  40002: 'invalid grant_type',
  40003: 'invalid openid',
  40004: 'invalid media type',
  40007: 'invalid media_id',
  40013: 'invalid appid',
  40014: 'invalid access_token',
  40029: 'invalid code',
  40030: 'invalid refresh_token',
  40066: 'invalid url',
  40097: 'invalid args',
  40125: 'invalid appsecret',
  40163: 'code been used',
  40170: 'args count exceed count limit',
  41001: 'access_token missing',
  41004: 'appsecret missing',
  41005: 'media data missing',
  42001: 'access_token expired',
  43002: 'require POST method',
  44002: 'empty post data',
  45009: 'reach max api daily quota limit',
  45011: 'api minute-quota reach limit  must slower  retry next minute',
  47001: 'data format error',
  48001: 'api unauthorized',
  48006: 'forbid to clear quota because of reaching the limit',
  61003: 'component is not authorized by this account',
  61004: `access clientip is not registered requestIP: ${REQUEST_IP}`,
  61005: 'component ticket is expired',
  61006: 'component ticket is invalid',
  61009: 'code is invalid',
  61010: 'code is expired',
  61011: 'invalid component',
  61012: 'invalid option name',
  61013: 'invalid option value',
  61014: 'must use component token for component api',
  61023: 'refresh_token is invalid',
  76021: 'cgi_path not found, please check',
};

/** A refusal of an API call; answered with HTTP 200 and this errcode. */
export class WechatError extends Error {
  /** @param errmsg overrides WeChat's usual words for the code. */
  constructor(
    readonly errcode: number,
    errmsg: string = MESSAGES[errcode] ?? 'error',
  ) {
    super(errmsg);
  }

  /** The answer's JSON, with a fresh rid as WeChat appends it. */
  toAnswer(nowMs: number): { errcode: number; errmsg: string } {
    return { errcode: this.errcode, errmsg: `${this.message} rid: ${newRid(nowMs)}` };
  }
}

/** A refusal to what drives the simulator (a test, the control API); never sent to the hub. */
export class SimulatorError extends Error {
  /** @param status HTTP status that the control API answers with. */
  constructor(
    message: string,
    readonly status = 400,
  ) {
    super(message);
  }
}
