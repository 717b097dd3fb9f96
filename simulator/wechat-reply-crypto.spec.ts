import { createCipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { encryptPush } from './wechat-push-crypto.js';
import { decryptReply } from './wechat-reply-crypto.js';

interface Vector {
  id: string;
  encoding_aes_key: string;
  tail_id: string;
  encrypt: string;
  plaintext: string;
}

const file = new URL('../test/vectors/wechat-crypto.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] };
const isPaddedTo32 = ({ encrypt }: Vector) => Buffer.from(encrypt, 'base64').length % 32 === 0;

const KEY = 'Zk7Qm2XvT9bR4nLcW1yHs8PdJ6uGfA3eKxViNtO5aBg';

/** Encrypts bytes that are padded already, rightly or not. */
function encryptPadded(padded: Buffer): string {
  const key = Buffer.from(`${KEY}=`, 'base64');
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  return Buffer.concat([cipher.update(padded), cipher.final()]).toString('base64');
}

describe('decryptReply', () => {
  it.each(vectors.filter(isPaddedTo32))('opens $id', (vector) => {
    expect(decryptReply(vector.encoding_aes_key, vector.encrypt)).toEqual({
      message: vector.plaintext,
      tailId: vector.tail_id,
    });
  });

  it.each(vectors.filter((vector) => !isPaddedTo32(vector)))(
    'refuses $id, which is padded to 16',
    (vector) => {
      expect(() => decryptReply(vector.encoding_aes_key, vector.encrypt)).toThrow('multiple of 32');
    },
  );

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
