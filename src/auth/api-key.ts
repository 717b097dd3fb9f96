import { randomBytes } from 'node:crypto';
import proxyAddr from '@fastify/proxy-addr';
import { HubError } from '../common/hub-error.js';
import { constantTimeEqual, Secret, sha256Hex } from '../common/secret.js';
import type { ScopeName } from './scope.js';

/** What an administrator says of a key; null is no limit. Times are Unix milliseconds. */
export interface ApiKeyValues {
  name: string;
  scopes: ScopeName[];
  componentAppIds: string[] | null;
  authorizerAppIds: string[] | null;
  /** Addresses and CIDRs. */
  networks: string[] | null;
  /** WeChat's paths that it may call by the gateway, with a slash in front; one that ends in a slash is all below it. */
  paths: string[] | null;
  requestsPerMinute: number | null;
  expiresAt: number | null;
}

/** A key as it is kept: what was shown of it is gone. */
export interface ApiKey extends ApiKeyValues {
  id: string;
  hash: string;
  previousHash: string | null;
  previousUntil: number | null;
  revokedAt: number | null;
  lastUsedAt: number | null;
  createdAt: number;
}

/** `hub_<id>_<secret>`: 20 hexadecimal digits, and 32 random bytes in base64url. */
const KEY = /^hub_([0-9a-f]{20})_[\w-]{43}$/;

/** The id of what may be a key; undefined for what is none. */
export function keyIdOf(bearer: string): string | undefined {
  return KEY.exec(bearer)?.[1];
}

/** An id, in order of creation. */
export function newKeyId(now: number): string {
  return now.toString(16).padStart(12, '0') + randomBytes(4).toString('hex');
}

/** A key of this id: letters, digits, `_` and `-`, 68 in all. */
export function newKey(id: string): { key: Secret; hash: string } {
  const key = `hub_${id}_${randomBytes(32).toString('base64url')}`;
  return { key: new Secret(key), hash: sha256Hex(key) };
}

/** Whether it is the key with this hash, or the one before its last rotation in its overlap. */
export function isKey(key: ApiKey, hash: string, now: number): boolean {
  return hashesOf(key, now).some((one) => constantTimeEqual(hash, one));
}

const MARK_LENGTH = 16;

/** Names one secret of a key in what is sealed: nobody else can make it, and it opens nothing. */
export function markOf(hash: string): string {
  return hash.slice(0, MARK_LENGTH);
}

/** Whether the mark is that of a secret which {@link isKey} accepts now. */
export function hasMark(key: ApiKey, mark: string, now: number): boolean {
  return hashesOf(key, now).some((hash) => markOf(hash) === mark);
}

function hashesOf({ hash, previousHash, previousUntil }: ApiKey, now: number): string[] {
  const isInOverlap = previousUntil !== null && now < previousUntil;
  return previousHash !== null && isInOverlap ? [hash, previousHash] : [hash];
}

/** What a request asks for, as far as a key may be limited to it. */
export interface Wish {
  /** Scopes that are enough, any one of them; none where only the admin token is. */
  scopes: readonly ScopeName[];
  /** The platform and the account that its address names. */
  componentAppId?: string;
  authorizerAppId?: string;
  /** Limits that who asks looks at afterwards: what they are about is not in the address. */
  later?: readonly ('platform' | 'account')[];
  /** WeChat's path of a call by the gateway. */
  path?: string;
}

/** Why a key is not accepted at all, whatever it asks for: 401, or 403 for its address. */
export function keyRefusal(key: ApiKey, address: string, now: number): HubError | undefined {
  if (key.revokedAt !== null) return noLonger('key_revoked', 'The API key has been revoked');
  if (key.expiresAt !== null && now >= key.expiresAt) {
    return noLonger('key_expired', 'The API key has expired');
  }
  if (key.networks && !isWithin(address, key.networks)) {
    return notAllowed('The API key is not accepted from this network', { missing: 'network' });
  }
  return undefined;
}

/**
 * Why a key may not do what is asked for: 403, naming what is missing. It does not depend on what
 * there is: another account and an unknown one are the same.
 */
export function wishRefusal(key: ApiKey, wish: Wish): HubError | undefined {
  const { scopes } = wish;
  const refusal = scopeRefusal(key.scopes, scopes, 'The API key');
  if (refusal) return refusal;
  if (scopes.length === 0) {
    return notAllowed('Only the admin token opens this route', { missing: 'admin_token' });
  }
  const later = wish.later ?? [];
  if (!later.includes('platform') && !isAmong(wish.componentAppId, key.componentAppIds)) {
    return notAllowed('The API key is limited to platforms: the address must name one of those', {
      missing: 'platform',
    });
  }
  if (!later.includes('account') && !isAmong(wish.authorizerAppId, key.authorizerAppIds)) {
    return notAllowed('The API key is limited to accounts: the address must name one of those', {
      missing: 'account',
    });
  }
  if (wish.path !== undefined && key.paths && !isPathAmong(wish.path, key.paths)) {
    return notAllowed('The API key may not call this path of WeChat', { missing: 'path' });
  }
  return undefined;
}

/**
 * 403 for who has none of the scopes that are enough.
 * @param who has them, in words.
 */
export function scopeRefusal(
  held: readonly ScopeName[],
  enough: readonly ScopeName[],
  who: string,
): HubError | undefined {
  if (held.includes('admin') || enough.some((scope) => held.includes(scope))) return undefined;
  const [scope = 'admin'] = enough;
  return new HubError('missing_scope', `${who} lacks the scope ${scope}`, {
    status: 403,
    level: 'log',
    details: { scope },
  });
}

function isPathAmong(path: string, allowed: string[]): boolean {
  const asked = `/${path}`;
  return allowed.some((one) => (one.endsWith('/') ? asked.startsWith(one) : asked === one));
}

/** A route that names none is about all of them. */
export function isAmong(named: string | undefined, allowed: string[] | null): boolean {
  return allowed === null || (named !== undefined && allowed.includes(named));
}

function isWithin(address: string, networks: string[]): boolean {
  return proxyAddr.compile(networks)(address, 0);
}

function noLonger(code: string, message: string): HubError {
  return new HubError(code, message, { status: 401, level: 'log' });
}

function notAllowed(message: string, details: { missing: string }): HubError {
  return new HubError('not_allowed', message, { status: 403, level: 'log', details });
}
