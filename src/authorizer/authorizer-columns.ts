import type { Authorizer } from './authorizer.entity.js';
import type { AuthorizerStatus } from './authorizer.js';

/** Nothing is known against the row's refresh token: what failed before is forgotten. */
export function clearRefreshing(row: Authorizer): void {
  row.invalidatedAt = null;
  row.forcedAt = null;
  row.attempts = 0;
  row.nextAttemptAt = null;
  row.lastError = null;
  row.leaseOwner = null;
  row.leaseUntil = null;
}

/** The row has no access token, and none is to be got. The refresh token stays. */
export function endTokens(row: Authorizer, status: AuthorizerStatus): void {
  row.status = status;
  row.generation += 1;
  row.accessToken = null;
  row.expiresIn = null;
  row.obtainedAt = null;
  row.expiresAt = null;
  row.refreshAt = null;
  row.infoDueAt = null;
  clearRefreshing(row);
}

/** The authorization stands: tokens are got for it. */
export function activate(row: Authorizer, now: number): void {
  row.status = 'active';
  row.revokedAt = null;
  row.firstAuthorizedAt ??= now;
  row.lastAuthorizedAt ??= now;
  row.usedAt ??= now;
  row.generation += 1;
  row.refreshAt = row.refreshToken === null ? null : now;
  clearRefreshing(row);
}
