import type { Secret } from '../common/secret.js';
import { FORCE_INTERVAL_MS, refreshTime } from '../token-engine/refresh-decision.js';
import type { Authorization } from '../wechat-api/component-api.js';
import type { Authorizer } from './authorizer.entity.js';
import type { AuthorizerStatus, CodeSource } from './authorizer.js';

/*
 * What becomes of an account, by what the hub learns of it: pure functions, one for each kind of
 * fact, of the account's row as it is. See `AuthorizerStatus` for the states; the token engine
 * replaces tokens by its own rules. Nothing here is written: `AuthorizerStore.change` does that.
 */

/** An account's row as a transition sees it. */
export type Account = Omit<Authorizer, 'accessToken' | 'refreshToken' | 'info'> & {
  /** Null where WeChat gave none; one that cannot be read differs from all that WeChat names. */
  refreshToken: Secret | null;
};

/** New values of columns; a column that is not named keeps its value. */
export type AccountPatch = Partial<Omit<Authorizer, 'accessToken' | 'refreshToken'>> & {
  accessToken?: Secret | null;
  refreshToken?: Secret;
};

/** A line for the history of an account. */
export interface Change {
  what: string;
  detail?: Record<string, unknown>;
}

/** What a fact changes. The history may have a fact that changes no column. */
export interface Transition {
  patch?: AccountPatch;
  history: Change[];
}

/** An authorization code was exchanged. */
export interface Grant {
  authorization: Authorization;
  /** When the exchange began, in Unix milliseconds. */
  obtainedAt: number;
  /** CreateTime of the code's event in Unix seconds; null where only the redirect has come. */
  eventTime: number | null;
  source: CodeSource;
  /** Share of the token's life, in [0, 1), by which it is refreshed early. */
  early: number;
}

/**
 * An authorization was granted or changed: tokens and permission sets are replaced, a refresh with
 * the old ones can no longer be saved, and the information is to be fetched. If it was withdrawn
 * since, WeChat is asked which of the two holds.
 */
export function granted(account: Account, grant: Grant, now: number): Transition {
  const { authorization, eventTime, source } = grant;
  const { funcInfo, accessToken, refreshToken } = authorization;
  const effective = !withdrawnSince(account, grant);
  const tokens = accessToken !== undefined;
  const detail = { source, funcInfo, tokens, ...(!effective && { effective }) };
  const history = [{ what: 'authorized', detail }];
  if (!effective) return { patch: { infoDueAt: now }, history };
  const hasRefreshToken = refreshToken !== undefined || account.refreshToken !== null;
  const patch = {
    ...activated(account, hasRefreshToken, now),
    ...accessTokenOf(grant, hasRefreshToken),
    ...(refreshToken && { refreshToken }),
    funcInfo: JSON.stringify(funcInfo),
    eventTime: Math.max(account.eventTime ?? 0, eventTime ?? 0) || null,
    lastAuthorizedAt: now,
    infoDueAt: now,
  };
  return { patch, history };
}

/**
 * The event of a code that was exchanged, or refused, before it came: its time counts, and WeChat
 * is asked about what the hub does not have. `eventTime` in Unix seconds.
 */
export function confirmed(
  account: Account,
  { eventTime, exchanged }: { eventTime: number; exchanged: boolean },
  now: number,
): Transition | undefined {
  if (eventTime < (account.eventTime ?? 0)) return undefined;
  const isKnown = exchanged && account.status === 'active';
  return { patch: { eventTime, ...(!isKnown && inDoubt(account, now)) }, history: [] };
}

/** WeChat refused a code of the account with `errcode`: its record of the account is asked instead. */
export function codeRefused(
  account: Account,
  errcode: number | undefined,
  now: number,
): Transition {
  const what = errcode === 61010 ? 'code_expired' : 'code_refused';
  const advice =
    'A fresh code comes when the account changes its permission sets or authorizes again';
  return { patch: inDoubt(account, now), history: [{ what, detail: { errcode, advice } }] };
}

/**
 * The account withdrew its authorization at `eventTime` (Unix seconds): its tokens are dead. An
 * event that is older than the last authorization, or comes again, changes nothing.
 */
export function withdrawn(account: Account, eventTime: number): Transition {
  const stale = eventTime < (account.eventTime ?? 0);
  const effective = !stale && account.status !== 'revoked';
  const history = [{ what: 'unauthorized', detail: { eventTime, effective } }];
  if (stale) return { history };
  const end = effective ? { ...ended(account, 'revoked'), revokedAt: eventTime * 1000 } : {};
  return { patch: { eventTime, ...end }, history };
}

/**
 * WeChat said that it gives no tokens for the account, to a caller who saw `generation`. Nothing if
 * something has happened to the authorization since, or the account was stopped before.
 */
export function stopped(
  account: Account,
  { generation, status, ...change }: { generation: number; status: StoppedStatus } & Change,
  now: number,
): Transition | undefined {
  if (account.generation !== generation || account.status === status) return undefined;
  const end = ended(account, status);
  return {
    patch: status === 'revoked' ? { ...end, revokedAt: now } : end,
    history: [change],
  };
}

/** States in which WeChat gives no tokens. */
export type StoppedStatus = Exclude<AuthorizerStatus, 'active'>;

/** WeChat answered api_get_authorizer_info. */
export interface InfoAnswer {
  /** The row as it was when WeChat was asked. */
  asked: Pick<Authorizer, 'generation' | 'infoDueAt'>;
  /** Columns that the answer names. */
  columns: InfoColumns;
  /** WeChat's account_status, where it is one with which there are no working tokens. */
  suspension: number | undefined;
  authorization: Pick<Authorization, 'funcInfo' | 'refreshToken'>;
}

/** The columns that describe the account. */
export type InfoColumns = Pick<
  AccountPatch,
  | 'nickName'
  | 'userName'
  | 'principalName'
  | 'headImg'
  | 'verifyType'
  | 'serviceType'
  | 'accountStatus'
  | 'registerType'
  | 'type'
  | 'info'
>;

/** What an operator may care about, for the history. */
const WATCHED = ['nickName', 'principalName', 'verifyType', 'funcInfo'] as const;

/**
 * The information was fetched; what it does not name stays. What it says of the authorization
 * counts only if nothing has happened to that since WeChat was asked.
 */
export function informed(account: Account, answer: InfoAnswer, now: number): Transition {
  const { asked, columns, suspension, authorization } = answer;
  const { funcInfo, refreshToken } = authorization;
  const isCurrent = account.generation === asked.generation;
  const patch: AccountPatch = {
    ...columns,
    ...(account.infoDueAt === asked.infoDueAt && { infoDueAt: null }),
    ...(isCurrent && funcInfo.length > 0 && { funcInfo: JSON.stringify(funcInfo) }),
  };
  const described = { ...account, ...patch, refreshToken: account.refreshToken };
  const standing = isCurrent
    ? suspension === undefined
      ? found(described, refreshToken, now)
      : suspended(described, suspension)
    : undefined;
  const changes = changesOf(account, described);
  return {
    patch: { ...patch, ...standing?.patch },
    history: [
      ...(standing?.history ?? []),
      ...(changes ? [{ what: 'info_changed', detail: changes }] : []),
    ],
  };
}

/** WeChat's list of accounts names this one, as of `asOf` (Unix milliseconds). */
export function listed(
  account: Account,
  { refreshToken, asOf }: { refreshToken: Secret | undefined; asOf: number },
  now: number,
): Transition | undefined {
  // What happened since the list was made counts more.
  if (account.updatedAt > asOf || (account.obtainedAt ?? 0) > asOf) return undefined;
  // Whether it is still frozen, its information says.
  if (account.status === 'suspended') return { patch: { infoDueAt: now }, history: [] };
  return found(account, refreshToken, now);
}

/** An account of a system that the platform moves in from. */
export interface MovedIn {
  refreshToken: Secret;
  /** What the other system knows of it; absent where it does not. */
  columns: Pick<AccountPatch, 'nickName' | 'userName' | 'principalName' | 'headImg'>;
  /** When it authorized, in Unix milliseconds; null where the other system does not know. */
  authorizedAt: number | null;
  /** The other system. */
  source: string;
}

/**
 * What is to be done for an account that another system names. `verified`: WeChat has given a token
 * for it here. `verify`: it is known, and no token was got for it yet. A refresh token that WeChat
 * has refused is no better for being brought again.
 */
export type MoveInStep = 'add' | 'verify' | 'verified' | StoppedStatus;

export function moveInStep(account: Account | undefined, refreshToken: Secret): MoveInStep {
  if (!account) return 'add';
  const { status, obtainedAt, refreshToken: own } = account;
  if (status === 'active' && own !== null && !own.problem) {
    return obtainedAt === null ? 'verify' : 'verified';
  }
  const mayBeBetter = status === 'active' || status === 'needs_reauthorization';
  return mayBeBetter && isOther(account, refreshToken) ? 'add' : (status as StoppedStatus);
}

/** The account was moved in: what the hub knows of it already counts more. */
export function movedIn(account: Account, brought: MovedIn, now: number): Transition | undefined {
  const { refreshToken, columns, authorizedAt, source } = brought;
  if (moveInStep(account, refreshToken) !== 'add') return undefined;
  const firstAuthorizedAt = account.firstAuthorizedAt ?? authorizedAt;
  const lastAuthorizedAt = account.lastAuthorizedAt ?? authorizedAt;
  const known = { ...account, firstAuthorizedAt, lastAuthorizedAt };
  const patch = { ...activated(known, true, now), ...columns, refreshToken, infoDueAt: now };
  return { patch, history: [{ what: 'moved_in', detail: { source } }] };
}

/** Whether a line of the list says no more than the row. */
export function isListedAsKnown(account: Account, refreshToken: Secret | undefined): boolean {
  return account.status === 'active' && !isOther(account, refreshToken);
}

/** WeChat has the authorization on record, so it holds. */
function found(
  account: Account,
  refreshToken: Secret | undefined,
  now: number,
): Transition | undefined {
  const { status, type, infoDueAt } = account;
  const other = isOther(account, refreshToken);
  // A refresh token that was refused is no better for being listed.
  const useless = status === 'needs_reauthorization' && !other && account.refreshToken !== null;
  if ((status === 'active' && !other) || useless) return undefined;
  const patch = {
    ...activated(account, other || account.refreshToken !== null, now),
    ...(other && { refreshToken }),
    // The information was never fetched.
    ...(type === 'unknown' && { infoDueAt: infoDueAt ?? now }),
  };
  const what = other ? 'refresh_token_repaired' : 'found_authorized';
  return { patch, history: [{ what, detail: { before: status } }] };
}

function suspended(account: Account, accountStatus: number): Transition | undefined {
  if (account.status === 'suspended') return undefined;
  const history = [{ what: 'suspended', detail: { accountStatus } }];
  return { patch: ended(account, 'suspended'), history };
}

/** Whether WeChat names a refresh token that the row does not have. */
function isOther({ refreshToken: own }: Account, refreshToken: Secret | undefined): boolean {
  return refreshToken !== undefined && !own?.equals(refreshToken.reveal());
}

/** Whether a withdrawal is newer than the grant, or may be: it came while the code was exchanged. */
function withdrawnSince(account: Account, { obtainedAt, eventTime }: Grant): boolean {
  if (account.status !== 'revoked') return false;
  return (
    account.updatedAt > obtainedAt || (eventTime !== null && eventTime < (account.eventTime ?? 0))
  );
}

/** Nothing is known against the refresh token: what failed before is forgotten. */
const UNTRIED = {
  invalidatedAt: null,
  forcedAt: null,
  attempts: 0,
  nextAttemptAt: null,
  lastError: null,
  leaseOwner: null,
  leaseUntil: null,
};
const NO_ACCESS_TOKEN = { accessToken: null, expiresIn: null, obtainedAt: null, expiresAt: null };

/** The authorization holds: tokens are got for it. */
function activated(account: Account, hasRefreshToken: boolean, now: number): AccountPatch {
  return {
    ...UNTRIED,
    status: 'active',
    revokedAt: null,
    firstAuthorizedAt: account.firstAuthorizedAt ?? now,
    lastAuthorizedAt: account.lastAuthorizedAt ?? now,
    usedAt: account.usedAt ?? now,
    generation: account.generation + 1,
    refreshAt: hasRefreshToken ? now : null,
  };
}

/** The account has no access token, and none is to be got. The refresh token stays. */
function ended(account: Account, status: StoppedStatus): AccountPatch {
  return {
    ...UNTRIED,
    ...NO_ACCESS_TOKEN,
    status,
    generation: account.generation + 1,
    refreshAt: null,
    infoDueAt: null,
  };
}

/** WeChat voids the access token before a grant, so without a new one there is none. */
function accessTokenOf(
  { authorization: { accessToken, expiresIn }, obtainedAt, early }: Grant,
  hasRefreshToken: boolean,
): AccountPatch {
  if (accessToken === undefined || expiresIn === undefined) return NO_ACCESS_TOKEN;
  const expiresAt = obtainedAt + expiresIn * 1000;
  const token = { accessToken, expiresIn, obtainedAt, expiresAt };
  if (!hasRefreshToken) return token;
  return { ...token, refreshAt: refreshTime(obtainedAt, expiresIn, early) };
}

/**
 * WeChat's record of the account is to be fetched, and its access token may be void. A fetch that
 * failed, or is under way, is made again in 10 s, however many events ask for it.
 */
function inDoubt(account: Account, now: number): AccountPatch {
  const infoDueAt = Math.min(account.infoDueAt ?? now, now + FORCE_INTERVAL_MS);
  const hasToken = account.status === 'active' && account.refreshToken !== null;
  return { infoDueAt, ...(hasToken && { refreshAt: now }) };
}

/** The watched columns that differ, as they were and are; undefined where none does. */
function changesOf(before: Account, after: Account): Record<string, unknown> | undefined {
  const changed = WATCHED.filter((name) => before[name] !== null && before[name] !== after[name]);
  if (changed.length === 0) return undefined;
  return Object.fromEntries(changed.map((name) => [name, { from: before[name], to: after[name] }]));
}
