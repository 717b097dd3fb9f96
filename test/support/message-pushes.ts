import { cdata, type BuiltPush, type PushOverrides } from '../../simulator/push-builder.js';
import { databaseKinds, type DatabaseKind } from './databases.js';
import { COMPONENT } from './fake-settings.js';
import type { Answer } from './hub-client.js';
import type { TestApp } from './test-app.js';

/** An account, its original id and a user of it. */
export const ACCOUNT = 'wxfedcba9876543210';
export const USER_NAME = 'gh_0a1b2c3d4e5f';
export const USER = 'oAbCdEfGhIjKlMnOpQrStUvWxYz0';

/** The two URLs that WeChat pushes to, below `/callback/<component>/`. */
export const EVENTS_URL = 'events';
export const MESSAGES_URL = `messages/${ACCOUNT}`;

/** Every database with every URL, for `describe.each`. */
export function databasesAndUrls(): [DatabaseKind, string][] {
  return databaseKinds().flatMap((kind): [DatabaseKind, string][] => [
    [kind, EVENTS_URL],
    [kind, MESSAGES_URL],
  ]);
}

/** A value of a decrypted push: text stands in CDATA, numbers bare, undefined nowhere. */
export type Fields = Record<string, string | number | undefined>;

let messages = 0;

/** A text message of its own; `changes` replace, add or (undefined) take away fields. */
export function textFields(test: Pick<TestApp, 'clock'>, changes: Fields = {}): Fields {
  messages += 1;
  return {
    ToUserName: USER_NAME,
    FromUserName: USER,
    CreateTime: Math.floor(test.clock.now() / 1000),
    MsgType: 'text',
    Content: `message ${messages}`,
    MsgId: `2484293938489${String(messages).padStart(6, '0')}`,
    ...changes,
  };
}

/** An event of its own kind. */
export function eventFields(
  test: Pick<TestApp, 'clock'>,
  event: string,
  changes: Fields = {},
): Fields {
  return {
    ToUserName: USER_NAME,
    FromUserName: USER,
    CreateTime: Math.floor(test.clock.now() / 1000),
    MsgType: 'event',
    Event: event,
    ...changes,
  };
}

/** Fields as WeChat writes them in XML. */
export function fieldsXml(fields: Fields): string {
  const elements = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      const content = typeof value === 'number' ? String(value) : cdata(value ?? '');
      return `<${name}>${content}</${name}>`;
    });
  return `<xml>${elements.join('\n')}\n</xml>`;
}

/** A push to the message URL, ready to be sent as often as a test likes. */
export interface MessagePush {
  /** Path and query. */
  path: string;
  body: string;
  built: BuiltPush;
}

/** Where and how a message is pushed. */
export interface MessageOptions extends PushOverrides {
  component?: string;
  account?: string;
  /** ToUserName of the outer document. */
  outerToUserName?: string;
}

/** Encrypts and signs a text or fields as WeChat does for the message URL of an account. */
export function messagePush(
  { simulator }: Pick<TestApp, 'simulator'>,
  content: Fields | string,
  options: MessageOptions = {},
): MessagePush {
  const { component = COMPONENT.appid, account = ACCOUNT, ...overrides } = options;
  const plaintext = typeof content === 'string' ? content : fieldsXml(content);
  const built = simulator.buildPush(component, plaintext, overrides);
  const toUserName = options.outerToUserName ?? userNameOf(content);
  const outer = `<ToUserName>${cdata(toUserName)}</ToUserName>`;
  return {
    path: `/callback/${component}/messages/${account}?${built.query}`,
    body: built.body.replace(/<AppId>.*<\/AppId>/, outer),
    built,
  };
}

/** The same as JSON, inside and outside, as shops send it. */
export function jsonPush(
  { simulator }: Pick<TestApp, 'simulator'>,
  plaintext: string,
  options: MessageOptions = {},
): MessagePush {
  const push = messagePush({ simulator }, plaintext, options);
  const encrypt = /<Encrypt><!\[CDATA\[(.*?)\]\]>/s.exec(push.body)?.[1] ?? '';
  const body = JSON.stringify({
    ToUserName: options.outerToUserName ?? USER_NAME,
    Encrypt: encrypt,
  });
  return { ...push, body };
}

/** Sends a push as WeChat does. */
export function sendMessage(
  { hub }: Pick<TestApp, 'hub'>,
  { path, body, built }: MessagePush,
): Promise<Answer> {
  return hub.request('POST', path, { body, headers: built.headers });
}

/** Builds and sends. */
export function pushMessage(
  test: Pick<TestApp, 'hub' | 'simulator'>,
  content: Fields | string,
  options: MessageOptions = {},
): Promise<Answer> {
  return sendMessage(test, messagePush(test, content, options));
}

/** The same message once more: encrypted and signed again, as WeChat's second try is. */
export function triedAgain(
  { simulator }: Pick<TestApp, 'simulator'>,
  { built, path }: MessagePush,
): MessagePush {
  const account = /\/messages\/([^?]+)\?/.exec(path)?.[1] ?? ACCOUNT;
  return messagePush({ simulator }, built.plaintext, { component: built.appid, account });
}

/** A push that is right for the URL unless `overrides` say otherwise. */
export function rightPush(
  test: TestApp,
  url: string,
  overrides: Parameters<TestApp['simulator']['buildTicketPush']>[1] = {},
): BuiltPush {
  const plaintext = url === EVENTS_URL ? {} : { plaintext: fieldsXml(textFields(test)) };
  return test.simulator.buildTicketPush(COMPONENT.appid, { ...plaintext, ...overrides });
}

function userNameOf(content: Fields | string): string {
  if (typeof content !== 'string') return String(content.ToUserName ?? USER_NAME);
  return /<ToUserName><!\[CDATA\[(.*?)\]\]>/s.exec(content)?.[1] ?? USER_NAME;
}
