import { createHmac, randomInt } from 'node:crypto';

/** Digits of the random part, as many as WeChat's nonces have. */
const RANDOM_DIGITS = 10;
const PROOF_DIGITS = 16;

/**
 * A nonce for a push that the hub sends to itself. Every host of the
 * installation has the Token, and so can tell it from WeChat's: such a push shows neither the time
 * nor under which credentials WeChat pushes.
 */
export function ownNonce(token: string): string {
  const random = String(randomInt(10 ** (RANDOM_DIGITS - 1), 10 ** RANDOM_DIGITS));
  return random + proof(token, random);
}

/** Whether a push with this nonce is the hub's own. @param token the one that it is signed with. */
export function isOwnNonce(token: string, nonce: string): boolean {
  const random = nonce.slice(0, RANDOM_DIGITS);
  return nonce.length === RANDOM_DIGITS + PROOF_DIGITS && nonce === random + proof(token, random);
}

function proof(token: string, random: string): string {
  const hash = createHmac('sha256', token).update(`own push ${random}`).digest();
  return String(hash.readBigUInt64BE()).padStart(PROOF_DIGITS, '0').slice(0, PROOF_DIGITS);
}
