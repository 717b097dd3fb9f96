import { createCipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decryptReply, encryptPush, signMessage, signQuery } from './wechat-push-crypto.js';

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

const KEY = 'Zk7Qm2XvT9bR4nLcW1yHs8PdJ6uGfA3eKxViNtO5aBg';

/** Encrypts bytes that are padded already, rightly or not. */
function encryptPadded(padded: Buffer): string {
  const key = Buffer.from(`${KEY}=`, 'base64');
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  return Buffer.concat([cipher.update(padded), cipher.final()]).toString('base64');
}

describe('decryptReply', () => {
  it.each(padded32)('opens $id', (vector) => {
    expect(decryptReply(vector.encoding_aes_key, vector.encrypt)).toEqual({
      message: vector.plaintext,
      tailId: vector.tail_id,
    });
  });

  it.each(paddedOtherwise)('refuses $id, which is padded to 16', (vector) => {
    expect(() => decryptReply(vector.encoding_aes_key, vector.encrypt)).toThrow('multiple of 32');
  });

  it.each([
    ['nothing', '', 'multiple of 32'],
    ['padding of 0', encryptPadded(Buffer.alloc(64)), 'padding'],
    ['padding above 32', encryptPadded(Buffer.alloc(64, 33)), 'padding'],
    [
      'padding that differs',
      encryptPadded(Buffer.concat([Buffer.alloc(63), Buffer.of(2)])),
      'padd',
    ],
    ['a length beyond the end', encryptPadded(Buffer.alloc(64, 20)), 'length'],
    ['no room for a length', encryptPadded(Buffer.alloc(32, 32)), 'length'],
    [
      'the key of somebody else',
      encryptPush({
        encodingAesKey: 'B'.repeat(43),
        random: Buffer.alloc(16, 'r'),
        message: '<xml></xml>',
        tailId: 'wx0123456789abcdef',
      }),
      'wrong',
    ],
  ])('refuses %s', (_name, encrypted, reason) => {
    expect(() => decryptReply(KEY, encrypted)).toThrow(reason);
  });
});
