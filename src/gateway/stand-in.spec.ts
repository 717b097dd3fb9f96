import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { HubError } from '../common/hub-error.js';
import { Secret } from '../common/secret.js';
import { SecretBox } from '../secrets/secret-box.js';
import { openCode, openStandIn, sealCode, sealStandIn, type StandIn } from './stand-in.js';

const K1 = { id: 'k1', key: Buffer.alloc(32, 1) };
const K2 = { id: 'k2', key: Buffer.alloc(32, 2) };
const NOW = Date.UTC(2026, 0, 1);
const BASE = {
  keyId: '0123456789abcdef0123',
  mark: '0123456789abcdef',
  componentAppId: 'wx0123456789abcdef',
};
const ACCOUNT = { ...BASE, kind: 'account', authorizerAppId: 'wxfedcba9876543210' } as const;

describe('a stand-in', () => {
  const box = new SecretBox([K1]);
  const codeOf = (text: string, opener = box, now = NOW): string => {
    try {
      openStandIn(text, opener, now);
      return 'none';
    } catch (error) {
      return (error as HubError).code;
    }
  };

  it.each<StandIn>([
    { ...BASE, kind: 'component', expiresAt: NOW + 7_200_000 },
    { ...ACCOUNT, expiresAt: NOW + 7_200_000 },
    { ...ACCOUNT, kind: 'refresh' },
    { ...ACCOUNT, kind: 'user', token: new Secret('9'.repeat(200)), expiresAt: NOW + 1000 },
    {
      ...ACCOUNT,
      kind: 'user_refresh',
      token: new Secret('x_-'.repeat(60)),
      expiresAt: NOW + 1000,
    },
  ])('of $kind holds what it was made of, in a form that needs no escaping', (standIn) => {
    const text = sealStandIn(standIn, box);
    expect(text).toMatch(/^[\w-]{33,512}$/);
    const opened = openStandIn(text, box, NOW);
    expect({ ...opened, token: opened.token?.reveal() }).toEqual({
      ...standIn,
      token: standIn.token?.reveal(),
    });
  });

  it('without an end is the same each time, and another for another account or key', () => {
    const seal = (change: Partial<StandIn> = {}): string =>
      sealStandIn({ ...ACCOUNT, kind: 'refresh', ...change }, box);
    expect(seal()).toBe(seal());
    const others = [
      { authorizerAppId: 'wx1' },
      { keyId: 'f'.repeat(20) },
      { mark: 'f'.repeat(16) },
    ];
    expect(new Set([seal(), ...others.map(seal)]).size).toBe(4);
  });

  it('with an end is another each time', () => {
    const standIn = { ...ACCOUNT, expiresAt: NOW + 1 };
    expect(sealStandIn(standIn, box)).not.toBe(sealStandIn(standIn, box));
  });

  it('is over at its end', () => {
    const text = sealStandIn({ ...ACCOUNT, expiresAt: NOW + 1000 }, box);
    expect(codeOf(text, box, NOW + 999)).toBe('none');
    expect(codeOf(text, box, NOW + 1000)).toBe('stand_in_expired');
  });

  it('is read under each of the master keys, and under no other', () => {
    const text = sealStandIn({ ...ACCOUNT, kind: 'refresh' }, box);
    expect(codeOf(text, new SecretBox([K2, K1]))).toBe('none');
    expect(codeOf(text, new SecretBox([K2]))).toBe('stand_in_forged');
  });

  it('is worth nothing where a single letter is another one, of 10 000 tries', () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const text = sealStandIn({ ...ACCOUNT, expiresAt: NOW + 1000 }, box);
    const accepted: string[] = [];
    for (let tries = 0; tries < 10_000; tries += 1) {
      const at = tries % text.length;
      const letter = letters[Math.floor(tries / text.length) % letters.length] as string;
      const changed = text.slice(0, at) + letter + text.slice(at + 1);
      if (changed !== text && codeOf(changed) !== 'stand_in_forged') accepted.push(changed);
    }
    expect(accepted).toEqual([]);
  });

  it.each([
    ['nothing', ''],
    ['random bytes', randomBytes(100).toString('base64url')],
    ['a token of WeChat’s form', `88_${randomBytes(110).toString('base64url')}`],
    ['one with something behind', `${sealStandIn({ ...ACCOUNT, kind: 'refresh' }, box)}A`],
    ['one with an =', `${sealStandIn({ ...ACCOUNT, kind: 'refresh' }, box)}=`],
    ['a signature of the hub', box.sign('text', 'purpose')],
    ['a token for another purpose', box.sealToken('a b c d e f g', 'another')],
  ])('is not %s', (_, text) => {
    expect(codeOf(text)).toBe('stand_in_forged');
  });
});

describe('the stand-in for a code', () => {
  const { componentAppId } = BASE;
  const code = 'queryauthcode@@@fake code+/=';
  const text = sealCode(componentAppId, code, new SecretBox([K1]));

  it('is the same each time, in a form that needs no escaping', () => {
    expect(text).toMatch(/^[\w-]{33,512}$/);
    expect(sealCode(componentAppId, code, new SecretBox([K1]))).toBe(text);
  });

  it('is opened for its platform, under any of the keys, and for nobody else', () => {
    const openedBy = (box: SecretBox, given = text, platform = componentAppId) =>
      openCode(given, platform, box)?.reveal();
    expect(openedBy(new SecretBox([K2, K1]))).toBe(code);
    expect(openedBy(new SecretBox([K2]))).toBeUndefined();
    expect(openedBy(new SecretBox([K1]), text, 'wx0000000000000000')).toBeUndefined();
    expect(openedBy(new SecretBox([K1]), code)).toBeUndefined();
    const account = sealStandIn({ ...ACCOUNT, kind: 'refresh' }, new SecretBox([K1]));
    expect(openedBy(new SecretBox([K1]), account)).toBeUndefined();
  });
});
