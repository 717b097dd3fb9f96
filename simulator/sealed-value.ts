import { createHash, randomBytes } from 'node:crypto';

/** What a sealed value says about itself. */
export interface Sealed {
  kind: 'access' | 'refresh';
  /** Number of the authorization it was issued for. */
  index: number;
  /** The how many-th of its kind, from 1. */
  generation: number;
  /** Unix milliseconds; 0 for a refresh token. */
  expiresAtMs: number;
}

const KINDS = ['access', 'refresh'] as const;
const PAYLOAD_BYTES = 16;
const MAC_BYTES = 16;

/** 110 bytes are the 147 characters of an access token after `60_`, 32 the 43 of a refresh token. */
const SEALED_BYTES = { access: 110, refresh: 32 } as const;

const REFRESH_PREFIX = 'refreshtoken@@@';
const ACCESS_SHAPE = /^\d\d_([\w-]{147})$/;
const REFRESH_SHAPE = /^refreshtoken@@@([\w-]{43})$/;

/**
 * Makes tokens that look random but tell their maker what they are, so that a simulator with a
 * hundred thousand authorizers need not store a single one, and knows the oldest token still.
 */
export class Sealer {
  private readonly key = randomBytes(32);

  seal(value: Sealed): string {
    const payload = Buffer.alloc(PAYLOAD_BYTES);
    payload.writeUInt32BE(value.index, 0);
    payload.writeUInt32BE(value.generation, 4);
    payload.writeUIntBE(value.expiresAtMs, 8, 6);
    payload[14] = KINDS.indexOf(value.kind);
    const mac = createHash('sha256').update(this.key).update(payload).digest();
    const sealed = this.masked(mac.subarray(0, MAC_BYTES), payload, SEALED_BYTES[value.kind]);
    const text = sealed.toString('base64url');
    if (value.kind === 'refresh') return REFRESH_PREFIX + text;
    return `${60 + ((sealed[0] ?? 0) % 40)}_${text}`;
  }

  /** What a value says, `null` for one that this simulator has not made. */
  open(text: string): Sealed | null {
    const match = ACCESS_SHAPE.exec(text) ?? REFRESH_SHAPE.exec(text);
    if (!match) return null;
    const bytes = Buffer.from(match[1] ?? '', 'base64url');
    const end = MAC_BYTES + PAYLOAD_BYTES;
    const hidden = bytes.subarray(MAC_BYTES, end);
    const payload = this.masked(bytes.subarray(0, MAC_BYTES), hidden, end).subarray(MAC_BYTES);
    const kind = KINDS[payload[14] ?? -1];
    if (!kind) return null;
    const value = {
      kind,
      index: payload.readUInt32BE(0),
      generation: payload.readUInt32BE(4),
      expiresAtMs: payload.readUIntBE(8, 6),
    };
    return this.seal(value) === text ? value : null;
  }

  /** `mac`, the payload hidden (or shown again) by a key stream, and the rest of the key stream. */
  private masked(mac: Buffer, payload: Buffer, length: number): Buffer {
    const outputLength = length - MAC_BYTES;
    const stream = createHash('shake256', { outputLength }).update(this.key).update(mac).digest();
    for (let at = 0; at < PAYLOAD_BYTES; at += 1) {
      stream[at] = (stream[at] ?? 0) ^ (payload[at] ?? 0);
    }
    return Buffer.concat([mac, stream]);
  }
}
