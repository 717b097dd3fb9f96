import type { Push } from '../callback/push.js';
import { firstText } from '../wechat-crypto/push-text.js';
import {
  releaseCheckAccount,
  type ReleaseCheckAccount,
} from '../callback/release-check-accounts.js';

/** The text that is answered with `…_callback`. */
export const CHECK_TEXT = 'TESTCOMPONENT_MSG_TYPE_TEXT';
/** Begins the text that brings an authorization code. */
export const CHECK_CODE_PREFIX = 'QUERY_AUTH_CODE:';
/** Begins a code that is none: this hub plays the check against itself, and WeChat is not asked. */
export const SELF_CHECK_CODE_PREFIX = 'self-check@@@';

/** What WeChat expects of a push to one of its test accounts. */
export type ReleaseCheckAnswer =
  | { kind: 'text'; content: string }
  /** No byte at once; afterwards the code is exchanged and `<code>_from_api` sent. */
  | { kind: 'code'; code: string }
  | { kind: 'none' };

/** What the check expects; undefined for all other accounts. */
export function releaseCheckAnswer(
  push: Pick<Push, 'kind' | 'authorizerAppId' | 'msgType' | 'event' | 'fields'>,
): ReleaseCheckAnswer | undefined {
  const account = releaseCheckAccount(push.authorizerAppId);
  if (!account || push.kind === 'authorization') return undefined;
  if (push.msgType === 'event') return answerToEvent(account, push.event);
  const content = firstText(push.fields, 'Content');
  if (push.msgType !== 'text' || content === undefined) return { kind: 'none' };
  if (content.trim() === CHECK_TEXT) return { kind: 'text', content: `${CHECK_TEXT}_callback` };
  if (!content.startsWith(CHECK_CODE_PREFIX)) return { kind: 'none' };
  return { kind: 'code', code: content.slice(CHECK_CODE_PREFIX.length).trim() };
}

function answerToEvent({ type }: ReleaseCheckAccount, event: string | null): ReleaseCheckAnswer {
  // Only official accounts have passive replies; this case is in older instructions.
  if (type !== 'official_account' || !event) return { kind: 'none' };
  return { kind: 'text', content: `${event}from_callback` };
}
