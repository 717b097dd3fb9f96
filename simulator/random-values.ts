import { createHash, randomBytes, randomInt } from 'node:crypto';

/** A new verify ticket: `ticket@@@` and 80 URL-safe characters, never issued twice. */
export function newTicket(): string {
  return `ticket@@@${randomBytes(60).toString('base64url')}`;
}

/** A new access token: a two-digit generation, `_` and 147 URL-safe characters (150 in all). */
export function newAccessToken(): string {
  return `${randomInt(60, 100)}_${randomBytes(110).toString('base64url')}`;
}

/** A new code of any sort: its prefix (`preauthcode@@@`) and 64 URL-safe characters. */
export function newCode(prefix: string): string {
  return prefix + randomBytes(48).toString('base64url');
}

/**
 * A request id as WeChat appends it to `errmsg`: three groups of eight hex digits, of which the
 * first is the Unix time.
 * @param nowMs Unix time in milliseconds.
 */
export function newRid(nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000);
  const random = randomBytes(8).toString('hex');
  return `${seconds.toString(16).padStart(8, '0')}-${random.slice(0, 8)}-${random.slice(8)}`;
}

/** A nonce as WeChat sends it: nine or ten decimal digits. */
export function newNonce(): string {
  return String(randomInt(100_000_000, 2_147_483_647));
}

/** The 16 bytes in front of a plaintext; WeChat uses 16 ASCII hex characters. */
export function newPushRandom(): Buffer {
  return Buffer.from(randomBytes(8).toString('hex'), 'latin1');
}

/** Gives MsgIds: decimal 64-bit numbers, beyond what a JSON number holds exactly, none twice. */
export class MessageIds {
  // A place of its own for each simulator, so that several beside each other give different ones.
  private next = 2n ** 53n + (BigInt(randomInt(2 ** 47)) << 14n);

  take(): string {
    this.next += 1n;
    return this.next.toString();
  }
}

/** An openid, always the same for the same seed: `o` and 27 URL-safe characters. */
export function openidOf(seed: string): string {
  return `o${createHash('sha1').update(seed).digest('base64url')}`;
}
