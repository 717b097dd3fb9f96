import type { ExchangeFailureKind } from './failure-policy.js';
import type { TokenState } from './token-state.js';
import type { FreshToken } from './token.store.js';

/**
 * What an exchange is made with, by the kind of failure that another value of it may cure: a name
 * of the value, not the value.
 */
export type Inputs = Partial<Record<ExchangeFailureKind, string>>;

/** An exchange with all that it needs. */
export interface Exchange {
  inputs: Inputs;
  /**
   * Asks WeChat.
   * @param stillMine extends the lease before each further call, and rejects if it is lost.
   * @throws {WechatApiError}
   */
  run(stillMine: () => Promise<void>): Promise<FreshToken>;
}

/** How one kind of token is got from WeChat. */
export interface TokenSource {
  /** For metrics and logs, such as `component_access_token`. */
  kind: string;
  /**
   * Collects what the exchange needs, before WeChat is asked.
   * @param state the row as it is.
   * @param lifted the exchange comes before its time, because an input of the last failure has
   * changed: what else was refused with it need not be tried.
   * @throws {HubError} when something is missing and WeChat need not be asked.
   */
  prepare(key: string, state: TokenState, lifted: boolean): Promise<Exchange>;
  /** What an exchange would be made with now. */
  inputs(key: string): Promise<Inputs>;
  /** Runs when a failed exchange is stored, for what may cure it. */
  afterFailure(key: string, error: unknown): Promise<void>;
}
