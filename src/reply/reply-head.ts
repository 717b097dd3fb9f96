import type { Push } from '../callback/push.js';
import { ReplyInvalidError } from './reply-invalid.error.js';
import { remark } from '../common/remarks.js';

/** Who a reply is from and to, and when. */
export interface ReplyHead {
  /** The user's openid. */
  toUserName: string;
  /** The account's original id, `gh_…`. */
  fromUserName: string;
  /** Unix seconds. */
  createTime: number;
}

/**
 * A reply goes back where its push came from.
 * @param now Unix milliseconds.
 * @throws {ReplyInvalidError} for a push that names nobody.
 */
export function replyHead({ fields, fromUser }: Push, now: number): ReplyHead {
  const { ToUserName: account } = fields;
  if (typeof account !== 'string' || account === '' || !fromUser) {
    throw new ReplyInvalidError(remark('reply_nobody'));
  }
  return {
    toUserName: fromUser,
    fromUserName: account,
    createTime: Math.floor(now / 1000),
  };
}
