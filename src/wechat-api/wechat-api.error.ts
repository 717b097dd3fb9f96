import { HubError } from '../common/hub-error.js';
import type { FailureKind } from './wechat-errcode.js';

/** A call to api.weixin.qq.com did not give what was asked for. */
export class WechatApiError extends HubError {
  readonly path: string;
  readonly kind: FailureKind;
  /** WeChat's errcode; undefined where no readable answer came. */
  readonly errcode?: number;
  /** WeChat's id of the request, which its support asks for. */
  readonly rid?: string;

  constructor(
    path: string,
    kind: FailureKind,
    message: string,
    facts: { errcode?: number; errmsg?: string; rid?: string; clientIp?: string; cause?: unknown },
  ) {
    const { cause, ...wechat } = facts;
    super('wechat_api_failed', message, {
      status: 502,
      level: 'warn',
      details: { kind, path, ...wechat },
      cause,
    });
    this.path = path;
    this.kind = kind;
    this.errcode = facts.errcode;
    this.rid = facts.rid;
  }
}
