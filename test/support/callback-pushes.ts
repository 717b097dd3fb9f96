import { createCipheriv } from 'node:crypto';
import type { BuiltPush } from '../../simulator/push-builder.js';
import { cdata } from '../../simulator/push-builder.js';
import { signMessage } from '../../simulator/wechat-push-crypto.js';
import { COMPONENT } from './fake-settings.js';
import type { TestApp } from './test-app.js';

/** A push as `HubClient.push` sends it: one that was built, and what is changed on the way. */
export interface SentPush {
  built: BuiltPush;
  query?: string;
  body?: string | Buffer;
}

/** The query of a push with parameters changed, or left out where `undefined`. */
export function queryOf(
  built: BuiltPush,
  changes: Record<string, string | undefined> = {},
): string {
  const params = Object.entries({ ...built.params, ...changes }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return new URLSearchParams(params).toString();
}

/** The same push with another `Encrypt`, signed as WeChat would sign it. */
export function signedAnew(built: BuiltPush, encrypt: string, body = outerXml(encrypt)): SentPush {
  const { timestamp = '', nonce = '' } = built.params;
  const signature = signMessage(COMPONENT.token, timestamp, nonce, encrypt);
  return { built, query: queryOf(built, { msg_signature: signature }), body };
}

/** `Encrypt` of a built push. */
export function encryptOf(built: BuiltPush): string {
  return /<Encrypt><!\[CDATA\[(.*?)\]\]>/s.exec(built.body)?.[1] ?? '';
}

export function outerXml(encrypt: string): string {
  return `<xml><AppId>${cdata(COMPONENT.appid)}</AppId><Encrypt>${cdata(encrypt)}</Encrypt></xml>`;
}

/** Encrypts bytes under the component's key as they are, padding included or not. */
export function encryptBytes(...parts: (Buffer | string)[]): string {
  const key = Buffer.from(`${COMPONENT.encodingAesKey}=`, 'base64');
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const plain = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([cipher.update(plain), cipher.final()]).toString('base64');
}

/** The decrypted XML of a ticket push from its fields; one without a value is left out. */
export function pushXml(test: TestApp, changes: Record<string, string | undefined> = {}): string {
  const fields = {
    AppId: cdata(COMPONENT.appid),
    CreateTime: String(nowSeconds(test)),
    InfoType: cdata('component_verify_ticket'),
    ComponentVerifyTicket: cdata('ticket@@@fake-never-issued'),
    ...changes,
  };
  const inner = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `<${name}>${value}</${name}>`);
  return `<xml>${inner.join('\n')}</xml>`;
}

/** A correctly encrypted and signed push of any text. */
export function pushOf(test: TestApp, plaintext: string): SentPush {
  return { built: test.simulator.buildPush(COMPONENT.appid, plaintext) };
}

export function nowSeconds({ clock }: TestApp): number {
  return Math.floor(clock.now() / 1000);
}
