import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { WechatCryptoError } from './wechat-crypto.error.js';
import { WechatCryptoService } from './wechat-crypto.service.js';
import { wechatSignature } from './wechat-signature.js';

interface Vector {
  id: string;
  kind: 'push' | 'reply' | 'echostr' | 'encrypt-fixed-random';
  token: string;
  encoding_aes_key: string;
  tail_id: string;
  timestamp: string;
  nonce: string;
  encrypt: string;
  plaintext: string;
  random_hex: string;
  pad_len: number;
  msg_signature: string | null;
  signature?: string;
}

interface NegativeVector extends Omit<Vector, 'tail_id'> {
  expected_id: string;
  suggested_code: number;
}

const file = new URL('../../test/vectors/wechat-crypto.json', import.meta.url);
const { vectors, negative } = JSON.parse(readFileSync(file, 'utf8')) as {
  vectors: Vector[];
  negative: NegativeVector[];
};
const crypto = new WechatCryptoService();

const paddedTo16 = vectors.filter(({ encrypt }) => Buffer.from(encrypt, 'base64').length % 32 > 0);
const paddedTo32 = vectors.filter((vector) => !paddedTo16.includes(vector));
const signed = vectors.filter(({ msg_signature }) => msg_signature !== null);
const urlSigned = vectors.filter(({ signature }) => signature !== undefined);
const replies = paddedTo32.filter(({ kind }) => kind === 'reply');

function push(vector: Vector | NegativeVector, msgSignature = vector.msg_signature ?? '') {
  const { timestamp, nonce, encrypt } = vector;
  return { timestamp, nonce, encrypt, msgSignature };
}

/** The code that an input is refused with, by the same steps as a push; 0 when it is accepted. */
function refusal(vector: NegativeVector): number {
  try {
    const key = crypto.decodeKey(vector.encoding_aes_key);
    if (!crypto.signatureMatches(vector.token, push(vector))) return -40001;
    crypto.decrypt(key, vector.encrypt, vector.expected_id);
    return 0;
  } catch (error) {
    if (error instanceof WechatCryptoError) return error.errcode;
    throw error;
  }
}

describe('the published and cross-checked vectors', () => {
  it('are all there, and only two of them are padded to 16 instead of 32', () => {
    expect(vectors).toHaveLength(36);
    expect(negative).toHaveLength(4);
    expect(paddedTo16.map(({ id }) => id)).toEqual(['wego-reply-2', 'gen-pad16-variant']);
  });

  it.each(vectors)('decrypts $id', (vector) => {
    const key = crypto.decodeKey(vector.encoding_aes_key);
    expect(crypto.decrypt(key, vector.encrypt, vector.tail_id)).toBe(vector.plaintext);
  });

  it.each(vectors)('refuses $id for another appid', (vector) => {
    const key = crypto.decodeKey(vector.encoding_aes_key);
    expect(() => crypto.decrypt(key, vector.encrypt, `${vector.tail_id}0`)).toThrow(
      expect.objectContaining({ errcode: -40005, status: 403 }),
    );
  });

  it.each(paddedTo32)('encrypts $id byte for byte', (vector) => {
    const { encrypt } = crypto.seal(
      vector.token,
      crypto.decodeKey(vector.encoding_aes_key),
      { message: vector.plaintext, tailId: vector.tail_id },
      { timestamp: '1735689700', random: Buffer.from(vector.random_hex, 'hex') },
    );
    expect(encrypt).toBe(vector.encrypt);
  });

  it.each(signed)('verifies the msg_signature of $id and no other', (vector) => {
    expect(crypto.signatureMatches(vector.token, push(vector))).toBe(true);
    expect(crypto.signatureMatches(`${vector.token}x`, push(vector))).toBe(false);
    expect(crypto.signatureMatches(vector.token, push(vector, ''))).toBe(false);
    const upperCase = push(vector, vector.msg_signature?.toUpperCase());
    expect(crypto.signatureMatches(vector.token, upperCase)).toBe(false);
  });

  it.each(urlSigned)('verifies the signature of $id', (vector) => {
    const { token, timestamp, nonce, signature = '' } = vector;
    expect(crypto.urlSignatureMatches(token, { timestamp, nonce, signature })).toBe(true);
    const other = { timestamp: `${timestamp}0`, nonce, signature };
    expect(crypto.urlSignatureMatches(token, other)).toBe(false);
  });

  it('writes the JSON reply of the documentation, byte for byte', () => {
    const vector = replies.find(({ id }) => id === 'mini-doc-reply-json') as Vector;
    const { token, timestamp, nonce } = vector as Required<Vector>;
    const key = crypto.decodeKey(vector.encoding_aes_key);
    const random = Buffer.from(vector.random_hex ?? '', 'hex');
    const sender = { token, key, appid: vector.tail_id };
    expect(crypto.replyJson(sender, vector.plaintext, { timestamp, nonce, random })).toBe(
      JSON.stringify({
        Encrypt: vector.encrypt,
        MsgSignature: vector.msg_signature,
        TimeStamp: 1713424427,
        Nonce: '415670741',
      }),
    );
  });

  it.each(replies)('writes the reply of $id as WeChat reads it', (vector) => {
    const { token, tail_id: appid, timestamp, nonce } = vector;
    const key = crypto.decodeKey(vector.encoding_aes_key);
    const random = Buffer.from(vector.random_hex, 'hex');
    const xml = crypto.reply({ token, key, appid }, vector.plaintext, { timestamp, nonce, random });
    expect(xml).toBe(
      `<xml><Encrypt><![CDATA[${vector.encrypt}]]></Encrypt>` +
        `<MsgSignature><![CDATA[${vector.msg_signature}]]></MsgSignature>` +
        `<TimeStamp>${timestamp}</TimeStamp><Nonce><![CDATA[${nonce}]]></Nonce></xml>`,
    );
  });

  it.each(negative)('refuses $id with $suggested_code', (vector) => {
    expect(refusal(vector)).toBe(vector.suggested_code);
  });
});

describe('wechatSignature', () => {
  it('sorts by code unit, so that upper case comes before lower case', () => {
    expect(wechatSignature('b', 'A', 'a', 'B')).toBe(wechatSignature('A', 'B', 'a', 'b'));
    // sha1 of "ABab"
    expect(wechatSignature('b', 'A', 'a', 'B')).toBe('4cf88ce142afe906ce4444ea98fddf229bf2392b');
  });
});
