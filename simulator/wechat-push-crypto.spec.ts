import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { encryptPush, signMessage, signQuery } from './wechat-push-crypto.js';

interface Vector {
  id: string;
  token: string;
  encoding_aes_key: string;
  tail_id: string;
  timestamp: string;
  nonce: string;
  encrypt: string;
  plaintext: string;
  random_hex: string;
  pad_len: number;
  /** `null` where none was published. */
  msg_signature: string | null;
  signature?: string;
}

const file = new URL('../test/vectors/wechat-crypto.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] };

/** Length of random, length field, message, id and padding. */
function paddedLength(vector: Vector): number {
  const content = Buffer.byteLength(vector.plaintext) + Buffer.byteLength(vector.tail_id);
  return 16 + 4 + content + vector.pad_len;
}

const padded32 = vectors.filter((vector) => paddedLength(vector) % 32 === 0);
const paddedOtherwise = vectors.filter((vector) => paddedLength(vector) % 32 !== 0);

describe('encryptPush', () => {
  it.each(padded32)('reproduces $id byte for byte', (vector) => {
    const encrypted = encryptPush({
      encodingAesKey: vector.encoding_aes_key,
      random: Buffer.from(vector.random_hex, 'hex'),
      message: vector.plaintext,
      tailId: vector.tail_id,
    });
    expect(encrypted).toBe(vector.encrypt);
  });

  it('leaves out only the two vectors known to be padded to 16', () => {
    const ids = paddedOtherwise.map(({ id }) => id);
    expect(ids).toEqual(['wego-reply-2', 'gen-pad16-variant']);
  });
});

describe('signMessage', () => {
  const signed = vectors.filter((vector) => vector.msg_signature !== null);

  it.each(signed)('reproduces the msg_signature of $id', (vector) => {
    const { token, timestamp, nonce, encrypt } = vector;
    expect(signMessage(token, timestamp, nonce, encrypt)).toBe(vector.msg_signature);
  });
});

describe('signQuery', () => {
  const signed = vectors.filter((vector) => vector.signature !== undefined);

  it.each(signed)('reproduces the signature of $id', (vector) => {
    expect(signQuery(vector.token, vector.timestamp, vector.nonce)).toBe(vector.signature);
  });
});
