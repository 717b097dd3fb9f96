import { sha256Hex } from '../common/secret.js';
import { unixSeconds } from '../common/times.js';
import type { XmlFields, XmlValue } from '../wechat-crypto/xml-fields.js';

/** What tells one push from every other. */
export interface DedupSource {
  componentAppId: string;
  fields: XmlFields;
  /** The decrypted text, for a push that has nothing else. */
  text: string;
  /** Why `fields` is not all of it; null where it is. */
  problem: string | null;
}

/** Fields that every event has, or that stand in its key by themselves. */
const EVENT_NAMES = new Set([
  'ToUserName',
  'FromUserName',
  'CreateTime',
  'MsgType',
  'Event',
  'EventKey',
]);
/** Digits of a CreateTime, at the most. */
const TIME_DIGITS = 12;

/**
 * The hash of what makes two pushes the same, as the unique index has it. Keys of about the same
 * time are together in the index, so a burst writes few of its pages.
 * @param createTime in Unix seconds, where there is one.
 */
function timedKey(createTime: number | null | undefined, parts: unknown[]): string {
  // JSON keeps the parts apart, whatever they hold.
  const hash = sha256Hex(JSON.stringify(parts));
  return String(createTime ?? 0).padStart(TIME_DIGITS, '0') + hash.slice(TIME_DIGITS);
}

/**
 * The key of a message or event: the same for every try of WeChat's to deliver it, and for nothing
 * else. MsgId alone is not enough (accounts share its numbers), and the user with the time is not
 * either: one tap may make several events within a second, which differ in what else they say.
 */
export function messageDedupKey(source: DedupSource & { authorizerAppId: string | null }): string {
  const { componentAppId, authorizerAppId, fields } = source;
  return timedKey(unixSeconds(fields.CreateTime), [
    componentAppId,
    authorizerAppId ?? '',
    ...identity(source),
  ]);
}

/**
 * The key of an authorization event: the same however often WeChat pushes it, encrypted again each
 * time. All that it says is in the key, its CreateTime and code among it.
 */
export function authorizationDedupKey(source: DedupSource): string {
  const { componentAppId, fields, text, problem } = source;
  const said = problem === null ? JSON.stringify(sorted(fields)) : sha256Hex(text);
  return timedKey(unixSeconds(fields.CreateTime), ['authorization', componentAppId, said]);
}

function identity({ fields, text, problem }: DedupSource): string[] {
  // Half of what it says may be what makes it another one.
  if (problem !== null) return ['body', sha256Hex(text)];
  const [user, time] = [textOf(fields, 'FromUserName'), textOf(fields, 'CreateTime')];
  const msgId = textOf(fields, 'MsgId');
  const event = textOf(fields, 'Event');
  if (user && time && msgId) return ['message', msgId, user, time];
  if (user && time && event) {
    return ['event', user, time, event, textOf(fields, 'EventKey'), detailsOf(fields)];
  }
  return ['body', sha256Hex(text)];
}

/** What an event says beyond the usual (a card, an order, a job), whatever the order of its fields. */
function detailsOf(fields: XmlFields): string {
  return JSON.stringify(sorted(fields).filter(([name]) => !EVENT_NAMES.has(name)));
}

function sorted(fields: XmlFields): [string, XmlValue][] {
  // The default order, by UTF-16 units: keys in the database depend on it.
  const names = Object.keys(fields).toSorted();
  return names.map((name) => [name, fields[name] as XmlValue]);
}

function textOf(fields: XmlFields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : '';
}
