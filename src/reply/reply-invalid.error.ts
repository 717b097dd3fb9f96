import { HubError } from '../common/hub-error.js';

/** A reply cannot be sent to WeChat; the message says why, and nothing of what it holds. */
export class ReplyInvalidError extends HubError {
  constructor(what: string, cause?: unknown) {
    super('reply_invalid', `The answer is no reply: ${what}`, { status: 502, cause });
  }
}
