import { createHash, randomInt } from 'node:crypto';

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
