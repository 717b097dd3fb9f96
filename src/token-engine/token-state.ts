import { HubError } from '../common/hub-error.js';
import type { Secret } from '../common/secret.js';
import type { ExchangeFailureKind } from './failure-policy.js';
import type { TokenTimes } from './refresh-decision.js';
import type { TokenColumns } from './token-columns.js';
import { isoTime } from '../common/times.js';

/** The last failure of an exchange, as the row keeps it. */
export interface LastError {
  kind: ExchangeFailureKind;
  code: string;
  message: string;
  status: number;
  details: Record<string, unknown>;
  /** Whether it takes a person to repair it. */
  operator: boolean;
  advice: string;
  /** Unix milliseconds. */
  at: number;
  /** Name of the value that the failure was about; another one ends the back-off. */
  input?: string;
}

/** A token and the state of its refreshing, decrypted. Times are Unix milliseconds. */
export interface TokenState extends TokenTimes {
  token: Secret | null;
  expiresIn: number | null;
  generation: number;
  forcedAt: number | null;
  attempts: number;
  lastError: LastError | null;
}

/** A state that has a token which WeChat takes. */
export type ServableState = TokenState & { token: Secret; expiresAt: number };

/** The state of a credential that was never exchanged. */
export const EMPTY_STATE: TokenState = {
  hasToken: false,
  token: null,
  expiresIn: null,
  obtainedAt: null,
  expiresAt: null,
  refreshAt: null,
  generation: 0,
  invalidatedAt: null,
  forcedAt: null,
  leaseUntil: null,
  attempts: 0,
  nextAttemptAt: null,
  lastError: null,
};

/** The state that a row holds; `token` is its decrypted token, where the caller needs it. */
export function stateOfRow(row: TokenColumns, token: Secret | null): TokenState {
  const { accessToken, lastError, ...columns } = row;
  return {
    ...EMPTY_STATE,
    ...columns,
    hasToken: accessToken !== null,
    token,
    lastError: lastError === null ? null : (JSON.parse(lastError) as LastError),
  };
}

/** The remembered failure as an error, for callers that come before the next attempt. */
export function rememberedError({ lastError, nextAttemptAt }: TokenState): HubError {
  const next = nextAttemptAt === null ? {} : { nextAttemptAt: isoTime(nextAttemptAt) };
  if (!lastError) return refreshInProgress();
  return new HubError(lastError.code, lastError.message, {
    status: lastError.status,
    details: { ...lastError.details, advice: lastError.advice, ...next },
  });
}

/** A refresh was forced a moment ago and gave no token. */
export function refreshTooSoon(nextAttemptAt: number): HubError {
  return new HubError(
    'refresh_too_soon',
    'A refresh was forced a moment ago, and there is no token that works',
    { status: 429, details: { nextAttemptAt: isoTime(nextAttemptAt) } },
  );
}

/** Nobody knows yet how the refresh under way ends. */
export function refreshInProgress(): HubError {
  return new HubError('refresh_in_progress', 'The token is being refreshed; ask again', {
    status: 503,
  });
}
