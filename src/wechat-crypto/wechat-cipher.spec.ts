import { createCipheriv } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decodeEncodingAesKey, wechatDecrypt, wechatEncrypt } from './wechat-cipher.js';
import { WechatCryptoService } from './wechat-crypto.service.js';

const ENCODING_AES_KEY = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';
const key = decodeEncodingAesKey(ENCODING_AES_KEY);
const RANDOM = Buffer.from('0123456789abcdef');

/** Encrypts bytes as they are, padding included or not. */
function encryptRaw(...parts: (Buffer | string)[]): string {
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const plain = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([cipher.update(plain), cipher.final()]).toString('base64');
}

function lengthOf(bytes: number): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes);
  return length;
}

function pad(count: number, value = count): Buffer {
  return Buffer.alloc(count, value);
}

describe('decodeEncodingAesKey', () => {
  it('gives 32 bytes', () => {
    expect(key).toHaveLength(32);
  });

  it('takes any spare bits in the last character, as the official demo key has them', () => {
    const canonical = `${key.toString('base64').slice(0, 43)}`;
    expect(canonical).not.toBe(ENCODING_AES_KEY);
    expect(decodeEncodingAesKey(canonical)).toEqual(key);
  });

  it.each([
    ['42 characters', ENCODING_AES_KEY.slice(1)],
    ['44 characters', `${ENCODING_AES_KEY}=`],
    ['a character that is not base64', `${ENCODING_AES_KEY.slice(1)}-`],
    ['a line break at the end', `${ENCODING_AES_KEY.slice(1)}\n`],
    ['nothing', ''],
  ])('refuses a key of %s', (_, illegal) => {
    expect(() => decodeEncodingAesKey(illegal)).toThrow(
      expect.objectContaining({ errcode: -40004 }),
    );
  });
});

describe('wechatEncrypt and wechatDecrypt', () => {
  it('agree for every length around the padding block', () => {
    for (let length = 0; length <= 70; length += 1) {
      const plaintext = { message: 'x'.repeat(length), tailId: 'wx0123456789abcdef' };
      const encrypt = wechatEncrypt(key, plaintext);
      expect(Buffer.from(encrypt, 'base64').length % 32).toBe(0);
      expect(wechatDecrypt(key, encrypt)).toEqual(plaintext);
    }
  });

  it.each([
    ['white space around it', ' \n text \t '],
    ['a byte order mark', '\ufefftext'],
    ['Chinese and emoji', '全网发布检测 😀👨‍👩‍👧'],
    ['NUL', 'a\0b'],
  ])('keep a text with %s as it is', (_, message) => {
    const plaintext = { message, tailId: 'wx0123456789abcdef' };
    expect(wechatDecrypt(key, wechatEncrypt(key, plaintext))).toEqual(plaintext);
  });

  it('use new random bytes each time', () => {
    const plaintext = { message: 'same', tailId: 'wx0123456789abcdef' };
    expect(wechatEncrypt(key, plaintext)).not.toBe(wechatEncrypt(key, plaintext));
  });

  it('refuse to encrypt under a key that is none', () => {
    expect(() => wechatEncrypt(key.subarray(1), { message: '', tailId: 'wx' })).toThrow(
      expect.objectContaining({ errcode: -40006 }),
    );
  });
});

describe('wechatDecrypt', () => {
  const good = [RANDOM, lengthOf(5), 'hello', 'wx01234'];

  it.each([1, 2, 15, 16, 17, 31, 32])('takes a pad of %i', (count) => {
    const tailId = 'w'.repeat(96 - 16 - 4 - 5 - count);
    const encrypt = encryptRaw(RANDOM, lengthOf(5), 'hello', tailId, pad(count));
    expect(wechatDecrypt(key, encrypt)).toEqual({ message: 'hello', tailId });
  });

  it('takes an empty message and an empty tail', () => {
    const encrypt = encryptRaw(RANDOM, lengthOf(0), pad(12));
    expect(wechatDecrypt(key, encrypt)).toEqual({ message: '', tailId: '' });
  });

  it.each([
    ['is empty', '', -40010],
    ['is not base64', '!!!!', -40010],
    ['has a wrong number of characters', 'AAAAA', -40010],
    ['is base64 of URLs', '-_-_', -40010],
    ['has white space within', 'AAAA\nAAAAAAA', -40010],
    ['has padding characters within', 'AA==AAAA', -40010],
    ['is shorter than an AES block', Buffer.alloc(15).toString('base64'), -40007],
    ['is not a whole number of AES blocks', Buffer.alloc(33).toString('base64'), -40007],
    ['ends with a pad of 0', encryptRaw(...good, pad(32, 0)), -40008],
    ['ends with a pad of 33', encryptRaw(...good, pad(64, 33)), -40008],
    ['has a pad of unequal bytes', encryptRaw(...good, pad(31, 1), pad(1, 32)), -40008],
    ['has a pad longer than itself', encryptRaw(pad(16, 17)), -40008],
    ['holds less than random and length', encryptRaw(pad(13, 65), pad(19)), -40008],
    ['says a length beyond its end', encryptRaw(RANDOM, lengthOf(1), pad(12)), -40008],
    ['says the longest length', encryptRaw(RANDOM, lengthOf(2 ** 32 - 1), 'a', pad(11)), -40008],
    ['has a tail of no UTF-8', encryptRaw(RANDOM, lengthOf(0), pad(1, 0xff), pad(11)), -40008],
  ])('refuses what %s', (_, encrypt, errcode) => {
    expect(() => wechatDecrypt(key, encrypt)).toThrow(expect.objectContaining({ errcode }));
  });

  it.each<[string, Buffer, object]>([
    ['GBK', Buffer.from([0xc4, 0xe3]), { message: '你', tailId: '' }],
    ['no encoding', Buffer.from([0xc3, 0x28]), { message: '\uFFFD(', tailId: '', replaced: true }],
  ])('reads a message in %s as well as it can', (_, bytes, plaintext) => {
    const encrypt = encryptRaw(RANDOM, lengthOf(2), bytes, pad(10));
    expect(wechatDecrypt(key, encrypt)).toEqual(plaintext);
  });

  it('tells nothing of the decrypted text in an error', () => {
    const encrypt = encryptRaw(RANDOM, lengthOf(99), 'fake-private-text', pad(11));
    expect(() => wechatDecrypt(key, encrypt)).toThrow(/^(?!.*fake-private)/);
  });
});

describe('a reply', () => {
  const crypto = new WechatCryptoService();
  const sender = { token: 'AAAAA', key, appid: 'wx0123456789abcdef' };

  it('is signed over what stands in it and decrypts to the message', () => {
    const fields = crypto.parseXml(crypto.reply(sender, 'hi', { timestamp: '1713424427' }));
    const { Encrypt, MsgSignature, TimeStamp, Nonce } = fields as Record<string, string>;
    expect(TimeStamp).toBe('1713424427');
    expect(Nonce).toMatch(/^\d{9}$/);
    const envelope = {
      timestamp: TimeStamp ?? '',
      nonce: Nonce ?? '',
      msgSignature: MsgSignature ?? '',
      encrypt: Encrypt ?? '',
    };
    expect(crypto.signatureMatches('AAAAA', envelope)).toBe(true);
    expect(crypto.decrypt(key, envelope.encrypt, sender.appid)).toBe('hi');
  });

  it.each(['', 'now', '1713424427</TimeStamp>', '-1', '1.5'])(
    'is not made with the timestamp "%s"',
    (timestamp) => {
      expect(() => crypto.reply(sender, 'hi', { timestamp })).toThrow(
        expect.objectContaining({ errcode: -40011 }),
      );
    },
  );
});
