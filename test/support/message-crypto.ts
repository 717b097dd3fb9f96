import { createDecipheriv } from 'node:crypto';
import { createRequire } from 'node:module';
import { decrypt, getSignature } from '@wecom/crypto';
import { signMessage } from '../../simulator/wechat-push-crypto.js';
import { COMPONENT } from './fake-settings.js';

/** The untyped library, as far as it is used. */
const WXBizMsgCrypt = createRequire(import.meta.url)('wechat-crypto') as new (
  token: string,
  encodingAesKey: string,
  id: string,
) => {
  decrypt(encrypt: string): { message: string; id: string };
  getSignature(timestamp?: string, nonce?: string, encrypt?: string): string;
};

/** A passive reply as WeChat reads it. */
export interface OpenedReply {
  /** The decrypted text: XML, or JSON in a reply to a push that is JSON. */
  xml: string;
  /** The id behind it. */
  tailId: string;
  timeStamp: string;
  nonce: string;
}

/** Token and key that a reply is read with. */
export interface ReplySecrets {
  token: string;
  encodingAesKey: string;
}

const FORM =
  /^<xml><Encrypt><!\[CDATA\[([A-Za-z0-9+/=]+)\]\]><\/Encrypt><MsgSignature><!\[CDATA\[([\da-f]{40})\]\]><\/MsgSignature><TimeStamp>(\d+)<\/TimeStamp><Nonce><!\[CDATA\[(.*)\]\]><\/Nonce><\/xml>$/s;

/** The parts of a reply: of XML, or, as of JSON pushes, of JSON with exactly these members. */
function partsOf(body: string): (string | undefined)[] {
  if (!body.startsWith('{')) return (FORM.exec(body) ?? []).slice(1);
  const { Encrypt, MsgSignature, TimeStamp, Nonce, ...others } = JSON.parse(body);
  const types = [Encrypt, MsgSignature, TimeStamp, Nonce].map((part) => typeof part).join();
  if (types !== 'string,string,number,string' || Object.keys(others).length > 0) return [];
  return [Encrypt, MsgSignature, String(TimeStamp), Nonce];
}

/**
 * Reads an encrypted reply by plain AES and slicing, sharing no code with the hub. Throws for
 * anything that is not exactly in the documented form, or not signed.
 */
export function openReply(body: string, secrets: ReplySecrets = COMPONENT): OpenedReply {
  const [encrypt = '', signature, timeStamp = '', nonce = ''] = partsOf(body);
  if (encrypt === '') throw new Error(`Not an encrypted reply: ${body.slice(0, 200)}`);
  if (signMessage(secrets.token, timeStamp, nonce, encrypt) !== signature) {
    throw new Error('The signature of the reply is wrong');
  }
  const key = Buffer.from(`${secrets.encodingAesKey}=`, 'base64');
  const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const padded = Buffer.concat([decipher.update(encrypt, 'base64'), decipher.final()]);
  if (padded.length % 32 !== 0) throw new Error('The reply is not padded to 32');
  const plain = padded.subarray(0, padded.length - (padded.at(-1) ?? 0));
  const end = 20 + plain.readUInt32BE(16);
  const xml = plain.subarray(20, end).toString('utf8');
  const tailId = plain.subarray(end).toString('utf8');
  checkWithPeers({ encrypt, signature, timeStamp, nonce }, secrets, { message: xml, id: tailId });
  return { xml, tailId, timeStamp, nonce };
}

/** Two libraries that others use must read the same: every reply of every test goes through both. */
function checkWithPeers(
  { encrypt, signature, timeStamp, nonce }: Record<string, string | undefined>,
  { token, encodingAesKey }: ReplySecrets,
  expected: { message: string; id: string },
): void {
  const old = new WXBizMsgCrypt(token, encodingAesKey, expected.id);
  const sealed = encrypt ?? '';
  const readings = {
    'wechat-crypto': [old.decrypt(sealed), old.getSignature(timeStamp, nonce, sealed)],
    '@wecom/crypto': [
      decrypt(encodingAesKey, sealed),
      getSignature(token, timeStamp ?? '', nonce ?? '', sealed),
    ],
  };
  for (const [library, [read, sign]] of Object.entries(readings)) {
    const { message, id } = read as { message: string; id: string };
    if (message !== expected.message || id !== expected.id || sign !== signature) {
      throw new Error(`${library} reads the reply otherwise`);
    }
  }
}

/** The text of an element, without CDATA; undefined where there is none. */
export function elementOf(xml: string, name: string): string | undefined {
  const found = new RegExp(`<${name}>(?:<!\\[CDATA\\[(.*?)\\]\\]>|([^<]*))</${name}>`, 's').exec(
    xml,
  );
  return found?.[1] ?? found?.[2];
}
