import { isUtf8 } from 'node:buffer';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { WechatCryptoErrcode, WechatCryptoError } from './wechat-crypto.error.js';

const AES_BLOCK_BYTES = 16;
/** WeChat pads to multiples of 32 although the cipher's block has 16 bytes. */
const PAD_BLOCK_BYTES = 32;
const RANDOM_BYTES = 16;
const LENGTH_BYTES = 4;

/** A decrypted message and the id that WeChat put behind it. */
export interface WechatPlaintext {
  message: string;
  /** Whether bytes of the message were in no encoding that is known, and were replaced. */
  replaced?: boolean;
  /** For a third-party platform the component's appid, on both URLs and in both directions. */
  tailId: string;
}

/**
 * Decodes an EncodingAESKey (43 characters) to its 32 bytes. The last character may carry spare
 * bits (the official demo's key does), so the text is never encoded again to compare.
 * @throws {WechatCryptoError} -40004
 */
export function decodeEncodingAesKey(encodingAesKey: string): Buffer {
  if (!/^[A-Za-z0-9+/]{43}$/.test(encodingAesKey)) {
    throw new WechatCryptoError(
      WechatCryptoErrcode.encodingAesKeyIllegal,
      'EncodingAESKey must have 43 characters of base64',
    );
  }
  return Buffer.from(`${encodingAesKey}=`, 'base64');
}

/**
 * Encrypts: random(16) | length(4, big endian) | message | tailId, PKCS#7 to 32, AES-256-CBC with
 * the key's first half as IV, base64.
 * @param random 16 bytes; given only to reproduce a published vector.
 * @throws {WechatCryptoError} -40006
 */
export function wechatEncrypt(
  key: Buffer,
  { message, tailId }: WechatPlaintext,
  random: Buffer = randomBytes(RANDOM_BYTES),
): string {
  const body = Buffer.from(message, 'utf8');
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(body.length);
  const plain = Buffer.concat([random, length, body, Buffer.from(tailId, 'utf8')]);
  const pad = PAD_BLOCK_BYTES - (plain.length % PAD_BLOCK_BYTES);
  try {
    const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, AES_BLOCK_BYTES));
    cipher.setAutoPadding(false);
    const padded = Buffer.concat([plain, Buffer.alloc(pad, pad)]);
    return Buffer.concat([cipher.update(padded), cipher.final()]).toString('base64');
  } catch (error) {
    throw new WechatCryptoError(WechatCryptoErrcode.aesEncryptFailed, 'Encryption failed', error);
  }
}

/**
 * Decrypts what {@link wechatEncrypt} describes; a pad of 1 to 32 is accepted, since some
 * libraries pad to 16.
 * @throws {WechatCryptoError} -40007, -40008 or -40010
 */
export function wechatDecrypt(key: Buffer, encrypt: string): WechatPlaintext {
  const plain = unpad(decipher(key, decodeBase64(encrypt)));
  const start = RANDOM_BYTES + LENGTH_BYTES;
  if (plain.length < start) throw bufferIllegal('is too short');
  const end = start + plain.readUInt32BE(RANDOM_BYTES);
  if (end > plain.length) throw bufferIllegal('says a length that it does not have');
  return { ...decodeMessage(plain.subarray(start, end)), tailId: decodeUtf8(plain.subarray(end)) };
}

/** UTF-8, or what Chinese senders wrote before it: a signed message is not refused for its bytes. */
function decodeMessage(bytes: Buffer): Pick<WechatPlaintext, 'message' | 'replaced'> {
  if (isUtf8(bytes)) return { message: bytes.toString('utf8') };
  try {
    return { message: new TextDecoder('gb18030', { fatal: true }).decode(bytes) };
  } catch {
    return { message: bytes.toString('utf8'), replaced: true };
  }
}

function decodeBase64(text: string): Buffer {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) {
    throw new WechatCryptoError(WechatCryptoErrcode.base64DecodeFailed, 'Encrypt is not base64');
  }
  return Buffer.from(text, 'base64');
}

function decipher(key: Buffer, ciphertext: Buffer): Buffer {
  if (ciphertext.length === 0 || ciphertext.length % AES_BLOCK_BYTES !== 0) {
    throw new WechatCryptoError(
      WechatCryptoErrcode.aesDecryptFailed,
      'The ciphertext is not a whole number of AES blocks',
    );
  }
  const aes = createDecipheriv('aes-256-cbc', key, key.subarray(0, AES_BLOCK_BYTES));
  aes.setAutoPadding(false);
  // Whole blocks without a padding: nothing is left for `final`.
  return aes.update(ciphertext);
}

function unpad(padded: Buffer): Buffer {
  const pad = padded.at(-1) ?? 0;
  const start = padded.length - pad;
  if (pad < 1 || pad > PAD_BLOCK_BYTES || start < 0) throw bufferIllegal('has no valid padding');
  for (let at = start; at < padded.length; at += 1) {
    if (padded[at] !== pad) throw bufferIllegal('has no valid padding');
  }
  return padded.subarray(0, start);
}

/** A leading byte order mark stays: the text is passed on as it came. */
function decodeUtf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw bufferIllegal('is not UTF-8');
  return bytes.toString('utf8');
}

function bufferIllegal(what: string): WechatCryptoError {
  return new WechatCryptoError(WechatCryptoErrcode.bufferIllegal, `The decrypted text ${what}`);
}
