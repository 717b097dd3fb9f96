import { hash, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import type { HubError } from './hub-error.js';

const REDACTED = '[secret]';

/**
 * A credential in memory: prints, logs and serialises as `[secret]` whatever the logger does,
 * so redaction depends on the type and not on a list of field names. One that was stored and cannot
 * be decrypted is a Secret too, with a {@link problem} instead of a value.
 */
export class Secret {
  readonly #held: string | HubError;

  /** @param held the plain value, or why it cannot be read. */
  constructor(held: string | HubError) {
    this.#held = held;
  }

  /** Why the value cannot be read; undefined where it can. */
  get problem(): HubError | undefined {
    return typeof this.#held === 'string' ? undefined : this.#held;
  }

  /**
   * The plain value. Call it only where the value leaves for WeChat, the database or its owner.
   * @throws the {@link problem}, where there is one.
   */
  reveal(): string {
    if (typeof this.#held !== 'string') throw this.#held;
    return this.#held;
  }

  /** Compares in constant time, whatever the lengths; one that cannot be read equals nothing. */
  equals(other: string): boolean {
    if (this.problem) return false;
    return constantTimeEqual(sha256Hex(this.reveal()), sha256Hex(other));
  }

  /**
   * What an inspection shows: the last four characters of a long value, nothing of a short one;
   * null for one that cannot be read.
   */
  mask(): string | null {
    if (this.problem) return null;
    const value = this.reveal();
    return value.length >= 24 ? `****${value.slice(-4)}` : '****';
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

/** SHA-256 in lowercase hex. */
export function sha256Hex(value: string): string {
  return hash('sha256', value, 'hex');
}

/**
 * Compares two strings without telling by its duration where they differ. Their lengths are not
 * kept secret: compare hashes where a length would tell something.
 */
export function constantTimeEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
