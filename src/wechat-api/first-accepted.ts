import { WechatApiError } from './wechat-api.error.js';
import type { FailureKind } from './wechat-errcode.js';

/** Values of which WeChat may take one. */
export interface Candidates<T> {
  first: T;
  /** Further ones, looked up only when the first is refused. */
  more: () => Promise<T[]>;
  /** The kinds of failure that speak against the value, and not against the call. */
  refusals: FailureKind[];
  /** Runs before each further call; a rejection ends the tries. */
  beforeNext?: () => Promise<void>;
}

/** Tries candidates while WeChat refuses them for what they are; the first refusal is thrown. */
export async function firstAccepted<T, R>(
  { first, more, refusals, beforeNext }: Candidates<T>,
  attempt: (candidate: T) => Promise<R>,
): Promise<R> {
  try {
    return await attempt(first);
  } catch (refusal) {
    if (!isRefusal(refusal, refusals)) throw refusal;
    for (const candidate of await more()) {
      await beforeNext?.();
      try {
        return await attempt(candidate);
      } catch (error) {
        if (!isRefusal(error, refusals)) throw error;
      }
    }
    throw refusal;
  }
}

/** Whether WeChat refused a call for one of these reasons. */
export function isRefusal(error: unknown, kinds: FailureKind[]): error is WechatApiError {
  return error instanceof WechatApiError && kinds.includes(error.kind);
}
