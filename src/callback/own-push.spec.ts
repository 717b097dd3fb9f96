import { describe, expect, it } from 'vitest';
import { isOwnNonce, ownNonce } from './own-push.js';

const TOKEN = 'fakeCallbackToken';

describe('a nonce of the hub itself', () => {
  it('is recognized by those who have the Token, and is another one each time', () => {
    const nonces = Array.from({ length: 1000 }, () => ownNonce(TOKEN));
    expect(nonces.every((nonce) => isOwnNonce(TOKEN, nonce))).toBe(true);
    expect(nonces.every((nonce) => /^\d{26}$/.test(nonce))).toBe(true);
    expect(new Set(nonces).size).toBe(1000);
    expect(nonces.some((nonce) => isOwnNonce('otherCallbackToken', nonce))).toBe(false);
  });

  it.each(['', '1234567890', '0'.repeat(26), `${'1'.repeat(26)}x`])('is not %j', (nonce) => {
    expect(isOwnNonce(TOKEN, nonce)).toBe(false);
  });
});
