import { createDecipheriv } from 'node:crypto';

/** The decrypting half of WeChat's message encryption: passive replies, as WeChat reads them. */

const PADDING_BLOCK = 32;
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
