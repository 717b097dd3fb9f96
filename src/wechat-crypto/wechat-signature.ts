import { hash } from 'node:crypto';

/**
 * WeChat's signature: sha1, in lowercase hex, of the strings sorted and joined with nothing.
 * `msg_signature` covers token, timestamp, nonce and Encrypt; `signature` the first three.
 */
export function wechatSignature(...parts: string[]): string {
  return hash('sha1', parts.toSorted().join(''));
}
