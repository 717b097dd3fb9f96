import type { ArrivedPush } from '../callback/arrived-push.js';
import { ReplyInvalidError, type ReplyHead } from './passive-reply-xml.js';

/**
 * A reply goes back where its push came from.
 * @param now Unix milliseconds.
 * @throws {ReplyInvalidError} for a push that names nobody.
 */
export function replyHead({ fields, fromUser }: ArrivedPush, now: number): ReplyHead {
  const { ToUserName: account } = fields;
  if (typeof account !== 'string' || !fromUser) {
    throw new ReplyInvalidError('the push does not say from whom and to whom it is');
  }
  return {
    toUserName: fromUser,
    fromUserName: account,
    createTime: Math.floor(now / 1000),
  };
}
