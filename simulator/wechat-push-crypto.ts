import { createCipheriv, createHash } from 'node:crypto';

/**
 * The encrypting half of WeChat's message encryption (加密解密技术方案), written for the simulator
 * alone: it shares no line with the hub, so a mistake in one of them shows up against the other.
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
