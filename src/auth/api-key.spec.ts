import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../common/secret.js';
import {
  isKey,
  keyIdOf,
  keyRefusal,
  newKey,
  newKeyId,
  wishRefusal,
  type ApiKey,
} from './api-key.js';
import type { ScopeName } from './scope.js';

const NOW = Date.UTC(2026, 10, 22);
const A_KEY: ApiKey = {
  id: newKeyId(NOW),
  name: 'A service',
  hash: sha256Hex('fake'),
  previousHash: null,
  previousUntil: null,
  scopes: ['token:read'],
  componentAppIds: null,
  authorizerAppIds: null,
  networks: null,
  requestsPerMinute: null,
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: null,
  createdAt: NOW,
};

describe('an API key', () => {
  it('is found by its id, and is no other', () => {
    const { key, hash } = newKey(A_KEY.id);
    expect(keyIdOf(key.reveal())).toBe(A_KEY.id);
    expect(isKey({ ...A_KEY, hash }, sha256Hex(key.reveal()), NOW)).toBe(true);
    expect(isKey({ ...A_KEY, hash }, newKey(A_KEY.id).hash, NOW)).toBe(false);
    expect(newKeyId(NOW + 1) > newKeyId(NOW)).toBe(true);
  });

  it.each([
    ['before the end of its overlap', NOW + 1, true],
    ['at the end of its overlap', NOW, false],
    ['without an overlap', null, false],
  ])('that was replaced is accepted %s: %s', (_, previousUntil, expected) => {
    const key = { ...A_KEY, previousHash: sha256Hex('old'), previousUntil };
    expect(isKey(key, sha256Hex('old'), NOW)).toBe(expected);
  });

  it.each<[string, Partial<ApiKey>, string, string | undefined]>([
    ['without limits', {}, '192.0.2.1', undefined],
    ['revoked', { revokedAt: NOW - 1 }, '192.0.2.1', 'key_revoked'],
    ['at its end', { expiresAt: NOW }, '192.0.2.1', 'key_expired'],
    ['before its end', { expiresAt: NOW + 1 }, '192.0.2.1', undefined],
    ['from its network', { networks: ['10.0.0.0/8', '192.0.2.0/24'] }, '192.0.2.1', undefined],
    ['from its network in IPv6', { networks: ['192.0.2.0/24'] }, '::ffff:192.0.2.1', undefined],
    ['from another network', { networks: ['192.0.2.0/24'] }, '192.0.3.1', 'not_allowed'],
    ['from another kind of network', { networks: ['192.0.2.0/24'] }, '2001:db8::1', 'not_allowed'],
    ['from nowhere', { networks: ['192.0.2.0/24'] }, 'unknown', 'not_allowed'],
  ])('%s is accepted, or not for a reason', (_, limits, address, expected) => {
    expect(keyRefusal({ ...A_KEY, ...limits }, address, NOW)?.code).toBe(expected);
  });

  const P = { componentAppIds: ['wxP'] };
  const A = { authorizerAppIds: ['wxA'] };
  it.each<
    [Partial<ApiKey>, ScopeName[], string | undefined, string | undefined, object | undefined]
  >([
    [{}, ['token:read'], undefined, undefined, undefined],
    [{}, ['token:refresh'], undefined, undefined, { scope: 'token:refresh' }],
    [{}, ['events:read', 'token:read'], undefined, undefined, undefined],
    [{}, [], undefined, undefined, { scope: 'admin' }],
    [{ scopes: ['admin'] }, ['proxy'], undefined, undefined, undefined],
    [{ scopes: ['admin'] }, [], undefined, undefined, { missing: 'admin_token' }],
    [P, ['token:read'], 'wxP', undefined, undefined],
    [P, ['token:read'], 'wxQ', undefined, { missing: 'platform' }],
    [P, ['token:read'], undefined, 'wxA', { missing: 'platform' }],
    [A, ['token:read'], 'wxP', 'wxA', undefined],
    [A, ['token:read'], 'wxP', undefined, { missing: 'account' }],
    [A, ['token:read'], undefined, 'wxB', { missing: 'account' }],
    [{ ...P, ...A }, ['token:read'], 'wxP', 'wxA', undefined],
    [{ ...P, ...A }, ['token:read'], 'wxQ', 'wxA', { missing: 'platform' }],
  ])('%o may do what %o opens of platform %s and account %s: %o', (limits, scopes, ...rest) => {
    const [componentAppId, authorizerAppId, expected] = rest;
    const wish = { scopes, componentAppId, authorizerAppId };
    const refusal = wishRefusal({ ...A_KEY, ...limits }, wish);
    expect(refusal?.details).toEqual(expected);
    expect(refusal?.status).toBe(expected && 403);
  });
});
