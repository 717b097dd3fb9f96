import { HubError } from '../common/hub-error.js';
import { remark } from '../common/remarks.js';

/** A reply cannot be sent to WeChat; the message says why, and nothing of what it holds. */
export class ReplyInvalidError extends HubError {
  /** @param why a remark; of the fields of a message what the schema says of them. */
  constructor(why: string, cause?: unknown) {
    super('reply_invalid', remark('reply_invalid', { why }), { status: 502, cause });
  }
}
