import { createHash, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

const REDACTED = '[secret]';

/**
 * A credential in memory: prints, logs and serialises as `[secret]` whatever the logger does,
 * so redaction depends on the type and not on a list of field names.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The plain value. Call it only where the value leaves for WeChat, the database or its owner. */
  reveal(): string {
    return this.#value;
  }

  /** Compares in constant time, whatever the lengths. */
  equals(other: string): boolean {
    return constantTimeEqual(sha256Hex(this.#value), sha256Hex(other));
  }

  /** What an inspection shows: the last four characters of a long value, nothing of a short one. */
  mask(): string {
    return this.#value.length >= 24 ? `****${this.#value.slice(-4)}` : '****';
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
  return createHash('sha256').update(value).digest('hex');
}

/**
 * Compares two strings without telling by its duration where they differ. Their lengths are not
 * kept secret: compare hashes where a length would tell something.
 */
export function constantTimeEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
