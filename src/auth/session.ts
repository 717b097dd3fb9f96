import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { HubError } from '../common/hub-error.js';
import { Secret, sha256Hex } from '../common/secret.js';
import { HOUR_MS, MINUTE_MS } from '../common/times.js';
import type { Caller } from '../http/caller.js';
import { scopesOf, type Operator, type Role } from './operator.js';
import type { ScopeName } from './scope.js';

/** Longest life of a session, in milliseconds. */
export const SESSION_MS = 12 * HOUR_MS;
/** A session that was not used for so long ends, in milliseconds. */
export const IDLE_MS = 60 * MINUTE_MS;
/** For so long after the token or password was given, secrets are shown and changed. */
export const CONFIRMED_MS = 10 * MINUTE_MS;
/** Life of a sign-in link, in milliseconds. */
export const LINK_MS = 15 * MINUTE_MS;

/** Longest name of a person, in characters. */
export const NAME_LENGTH = 64;

const COOKIE = 'hub_session';
/** Says that a request is made by a timer of the console: no use of the session. */
const BACKGROUND = 'x-hub-background';

/** Ways in. */
export const OPENED_BY = ['token', 'password', 'invitation', 'link'] as const;
export type OpenedBy = (typeof OPENED_BY)[number];

/** A session as it is kept. Times are Unix milliseconds. */
export interface Session {
  id: string;
  operatorId: string | null;
  name: string;
  openedBy: OpenedBy | 'unopened';
  credential: string;
  confirmedAt: number | null;
  createdAt: number;
  lastSeenAt: number;
  expiresAt: number;
  sourceAddress: string;
  userAgent: string;
}

/** A session, and whose it is. */
export interface KnownSession {
  session: Session;
  /** Undefined for the owner of the admin token, and where the operator was removed. */
  operator: Operator | undefined;
}

/** 256 random bits, and what is kept of them. */
export function newValue(): { value: Secret; hash: string } {
  const value = randomBytes(32).toString('base64url');
  return { value: new Secret(value), hash: sha256Hex(value) };
}

/**
 * A mark of the credential that opened a session. Another one for each session, so that it shows
 * neither the credential nor who has the same.
 * @param kept the hash under which the credential is kept.
 */
export function credentialMark(kept: string, sessionId: string): string {
  return sha256Hex(`${kept} ${sessionId}`);
}

/**
 * Why a session no longer counts: 401 `session_ended`.
 * @param adminHash under which the admin token is kept.
 * @param seenAt when it was last used, as far as is known here.
 */
export function sessionRefusal(
  { session, operator }: KnownSession,
  { now, adminHash, seenAt }: { now: number; adminHash: string; seenAt: number },
): HubError | undefined {
  const { id, operatorId, credential, expiresAt } = session;
  const isOver = now >= expiresAt || now - seenAt >= IDLE_MS;
  const kept = operatorId === null ? adminHash : operator?.enabled && operator.password;
  if (!isOver && kept && credential === credentialMark(kept, id)) return undefined;
  const message = 'The session has ended: sign in again';
  return new HubError('session_ended', message, { status: 401, level: 'log' });
}

/** The name of a link for which its maker says none. */
export function linkNameBy({ name, actor }: Caller): string {
  return [...`Link of ${name ?? actor}`].slice(0, NAME_LENGTH).join('');
}

/** The name of a session by a link: the link's is kept, whatever its follower says. */
export function nameByLink(link: string, said = link): string {
  const kept = ` (${link})`;
  const own = [...said].slice(0, Math.max(0, NAME_LENGTH - kept.length)).join('');
  return said === link || own === '' ? link : own + kept;
}

/** What a session may do now. */
export function rightsOf({ operator }: KnownSession): { role: Role; scopes: ScopeName[] } {
  const { role, readsContent } = operator ?? { role: 'owner' as const, readsContent: true };
  return { role, scopes: scopesOf({ role, readsContent }) };
}

/** Who asks by a session. */
export function callerOf({ session, operator }: KnownSession): Caller {
  const { id, name } = session;
  return operator
    ? { actor: `operator:${operator.id}`, kind: 'operator', name: operator.name, sessionId: id }
    : { actor: 'admin', kind: 'token', name, sessionId: id };
}

/** Whether the owner of the session has shown within the last minutes that it is still them. */
export function isConfirmed({ confirmedAt }: Session, now: number): boolean {
  return confirmedAt !== null && now - confirmedAt < CONFIRMED_MS;
}

/** The value of the session's cookie. */
export function cookieOf({ cookie = '' }: IncomingHttpHeaders): string | undefined {
  return new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]{43})(?:;|$)`).exec(cookie)?.[1];
}

/** The header that gives a browser the cookie; without a value it takes it back. */
export function setCookie(value: Secret | undefined, { origin = '' }: IncomingHttpHeaders): string {
  // By the origin of the page: no header of a proxy is believed, and a tunnel ends at plain http.
  const secure = origin.startsWith('https:') ? '; Secure' : '';
  const age = value ? SESSION_MS / 1000 : 0;
  const given = value?.reveal() ?? '';
  return `${COOKIE}=${given}; HttpOnly; SameSite=Strict; Path=/admin; Max-Age=${age}${secure}`;
}

/** Whether a request counts as use of its session. */
export function isUse(headers: IncomingHttpHeaders): boolean {
  return headers[BACKGROUND] !== '1';
}

/**
 * Whether a page of this hub sends the request; undefined where the head does not say. Browsers say
 * it by `Sec-Fetch-Site`, with plain http by the origin alone.
 */
export function isOwnPage(headers: IncomingHttpHeaders): boolean | undefined {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  if (origin === undefined) return undefined;
  return /^https?:\/\//.test(origin) && origin.replace(/^https?:\/\//, '') === host;
}

/** 403 for what a page of somebody else sends. */
export function crossOrigin(): HubError {
  const message = 'Only pages of the hub itself may send this';
  return new HubError('cross_origin', message, { status: 403, level: 'log' });
}
