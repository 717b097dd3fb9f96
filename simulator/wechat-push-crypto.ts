import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';

/**
 * WeChat's message encryption (加密解密技术方案) from its side: it encrypts pushes and decrypts
 * passive replies. Written for the simulator alone: it shares no line with the hub, so a mistake in one of them shows up against the other.
 */

/** WeChat pads to 32 bytes, twice the block size of AES. */
const PADDING_BLOCK = 32;

/** What one encryption needs. */
export interface PushPlaintext {
  /** The 43 characters of the EncodingAESKey. */
  encodingAesKey: string;
  /** The 16 bytes in front of the message. */
  random: Buffer;
  /** The message, usually XML. */
  message: string;
  /** The id behind the message: the component appid on both callback URLs. */
  tailId: string;
}

/** Encrypts `random(16) | length(4, big-endian) | message | tailId`; answers base64. */
export function encryptPush(input: PushPlaintext): string {
  // The last of the 43 characters may carry spare bits; Buffer ignores them as WeChat does.
  const key = Buffer.from(`${input.encodingAesKey}=`, 'base64');
  const message = Buffer.from(input.message, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  const content = Buffer.concat([input.random, length, message, Buffer.from(input.tailId, 'utf8')]);
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  return Buffer.concat([
    cipher.update(content),
    cipher.update(padding(content.length)),
    cipher.final(),
  ]).toString('base64');
}

/** PKCS#7 over 32 bytes: a whole block when the content is already aligned. */
function padding(contentLength: number): Buffer {
  const count = PADDING_BLOCK - (contentLength % PADDING_BLOCK);
  return Buffer.alloc(count, count);
}

/** `msg_signature`: lowercase hex sha1 of token, timestamp, nonce and ciphertext, sorted, joined. */
export function signMessage(
  token: string,
  timestamp: string,
  nonce: string,
  encrypted: string,
): string {
  return sha1OfSorted([token, timestamp, nonce, encrypted]);
}

/** `signature`: like `msg_signature` without the ciphertext, so it does not cover the body. */
export function signQuery(token: string, timestamp: string, nonce: string): string {
  return sha1OfSorted([token, timestamp, nonce]);
}

function sha1OfSorted(parts: string[]): string {
  return createHash('sha1').update(parts.toSorted().join('')).digest('hex');
}

/** Random bytes and length field. */
const HEAD_LENGTH = 20;

/** What was encrypted. */
export interface OpenedReply {
  message: string;
  tailId: string;
}

/** Decrypts base64; throws for what is not padded to 32 bytes or has an impossible length. */
export function decryptReply(encodingAesKey: string, encrypted: string): OpenedReply {
  const key = Buffer.from(`${encodingAesKey}=`, 'base64');
  const content = Buffer.from(encrypted, 'base64');
  if (content.length === 0 || content.length % PADDING_BLOCK !== 0) {
    throw new Error(`the ciphertext has ${content.length} bytes, no multiple of 32`);
  }
  const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const padded = Buffer.concat([decipher.update(content), decipher.final()]);
  const plain = padded.subarray(0, padded.length - paddingLength(padded));
  const end = plain.length < HEAD_LENGTH ? -1 : HEAD_LENGTH + plain.readUInt32BE(16);
  if (end < 0 || end > plain.length) throw new Error('the length of the message is wrong');
  return {
    message: plain.subarray(HEAD_LENGTH, end).toString('utf8'),
    tailId: plain.subarray(end).toString('utf8'),
  };
}

function paddingLength(padded: Buffer): number {
  const count = padded.at(-1) ?? 0;
  const right = count >= 1 && count <= PADDING_BLOCK;
  if (right && padded.subarray(-count).every((byte) => byte === count)) return count;
  throw new Error('the padding is wrong');
}
