import type { Push, Outcome } from './push.js';
import type { VerifiedPush } from './push-verifier.js';

/** What a verified push is by its text, and what is to become of it. */
export type PushContent = Pick<
  Push,
  'kind' | 'authorizerAppId' | 'infoType' | 'msgType' | 'event' | 'fromUser'
> & {
  /** See `callback_event.dedup_key`. */
  dedupKey: string;
  /** The answer unless a reply is found. */
  outcome: Exclude<Outcome, 'reply'>;
  /** The hub itself is meant: recorded like every push, and nobody else is notified. */
  forHub: boolean;
};

/** One of the URLs that WeChat pushes to: what is different about it. */
export interface PushUrl {
  /** The account that its path names, where it names one: no signature covers it. */
  authorizerAppId: string | null;
  /** @throws {HubError} for a push of another platform, or of another account than the path's. */
  read(verified: VerifiedPush): PushContent | Promise<PushContent>;
  /** Where replies come from; absent where every push is answered at once. */
  replies?: PushReplies;
}

/** Finds replies to pushes. */
export interface PushReplies {
  /**
   * The reply to a push that is new and durable, in the push's own format; undefined for none, and at
   * once where nobody is asked for it. Throws nothing.
   * @param leftMs milliseconds from now after which a reply is of no use.
   */
  find(push: Push, leftMs: number): Promise<string | undefined> | undefined;
  /**
   * Whether somebody is being asked for the reply to a push, on whichever host: a repetition then waits
   * for it.
   * @param firstId id of the push when it first came.
   */
  isAwaited(push: Push, firstId: string): Promise<boolean>;
}
