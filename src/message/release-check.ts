import type { ArrivedPush } from '../callback/arrived-push.js';

/** An account of WeChat's own, by which it tests a platform before its release. */
export interface ReleaseCheckAccount {
  appid: string;
  /** Original id. */
  userName: string;
  type: 'official_account' | 'mini_program';
}

/**
 * The accounts of the release check (全网发布检测), five of each kind, as WeChat's instructions
 * (releases_instructions) list them.
 */
export const RELEASE_CHECK_ACCOUNTS: readonly ReleaseCheckAccount[] = [
  official('wx570bc396a51b8ff8', 'gh_3c884a361561'),
  official('wx9252c5e0bb1836fc', 'gh_c0f28a78b318'),
  official('wx8e1097c5bc82cde9', 'gh_3f222ed8d140'),
  official('wx14550af28c71a144', 'gh_26128078e9ab'),
  official('wxa35b9c23cfe664eb', 'gh_2b3713f184a6'),
  miniProgram('wxd101a85aa106f53e', 'gh_8dad206e9538'),
  miniProgram('wxc39235c15087f6f3', 'gh_905ae9d01059'),
  miniProgram('wx7720d01d4b2a4500', 'gh_393666f1fdf4'),
  miniProgram('wx05d483572dcd5d8b', 'gh_39abb5d4e1b7'),
  miniProgram('wx5910277cae6fd970', 'gh_7818dcb60240'),
];

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

const byAppId = new Map(RELEASE_CHECK_ACCOUNTS.map((account) => [account.appid, account]));

/** Whether a push is for one of the test accounts: the hub answers it, and nobody else is told. */
export function isReleaseCheckAccount(authorizerAppId: string | null): boolean {
  return authorizerAppId !== null && byAppId.has(authorizerAppId);
}

/** What the check expects; undefined for all other accounts. */
export function releaseCheckAnswer(
  push: Pick<ArrivedPush, 'authorizerAppId' | 'msgType' | 'event' | 'fields'>,
): ReleaseCheckAnswer | undefined {
  const account = byAppId.get(push.authorizerAppId ?? '');
  if (!account) return undefined;
  if (push.msgType === 'event') return answerToEvent(account, push.event);
  const { Content: content } = push.fields;
  if (push.msgType !== 'text' || typeof content !== 'string') return { kind: 'none' };
  if (content.trim() === CHECK_TEXT) return { kind: 'text', content: `${CHECK_TEXT}_callback` };
  if (!content.startsWith(CHECK_CODE_PREFIX)) return { kind: 'none' };
  return { kind: 'code', code: content.slice(CHECK_CODE_PREFIX.length).trim() };
}

function answerToEvent({ type }: ReleaseCheckAccount, event: string | null): ReleaseCheckAnswer {
  // Only official accounts have passive replies; this case is in older instructions.
  if (type !== 'official_account' || !event) return { kind: 'none' };
  return { kind: 'text', content: `${event}from_callback` };
}

function official(appid: string, userName: string): ReleaseCheckAccount {
  return { appid, userName, type: 'official_account' };
}

function miniProgram(appid: string, userName: string): ReleaseCheckAccount {
  return { appid, userName, type: 'mini_program' };
}
