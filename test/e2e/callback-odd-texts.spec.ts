import { describe, expect, it } from 'vitest';
import { cdata } from '../../simulator/push-builder.js';
import { databaseKinds } from '../support/databases.js';
import {
  deliveryHub,
  eventArrives,
  settled,
  subscribe,
  useDeliveryWorld,
} from '../support/delivery-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { ACCOUNT, messagePush, sendMessage, USER, USER_NAME } from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

/** A push whose text is not what the documents promise. */
interface OddPush {
  url: 'events' | 'messages';
  text: string;
}

const FIELDS: Record<string, string> = {
  /** First, so that no two texts are the same, wherever they are cut off. */
  n: '',
  ToUserName: USER_NAME,
  FromUserName: USER,
  CreateTime: '',
  MsgType: 'text',
  Content: '',
  MsgId: '',
};
/** What users type, and what breaks documents. */
const CONTENTS = [
  'a]]>b',
  ']]>',
  ']]>]]>',
  '<b>]]></b>',
  ']]></Contents>',
  'tab\tand\nline\r\n',
  '\u0001\u0002\u001f\u007f',
  'nul\0here',
  '\ufffe\uffff',
  '&amp;&lt;&#0;&nbsp;&',
  '你好 👩‍👩‍👧‍👦 \u202e',
  '',
  ' ',
  'x'.repeat(3000),
];
/** Ten ways in which JSON is broken. */
const BROKEN: ((json: string) => string)[] = [
  (json) => json.slice(0, -1),
  (json) => json.slice(0, Math.floor(json.length * 0.9)),
  (json) => `${json}}`,
  (json) => json.replace('}', ',}'),
  (json) => json.replaceAll('"', "'").replace("'", '"').replace('{"', "{'"),
  (json) => json.replace(':', ''),
  (json) => json.replace(',', ',,'),
  (json) => json.replace('"MsgType"', 'MsgType'),
  (json) => json.replace('{', '{"a":"\\x",'),
  (json) => json.replace('{', '{"a":NaN,'),
];

/** The n-th odd push: every kind in turn, each a push of its own. */
function oddPush(n: number, nowSeconds: number): OddPush {
  const content = `${n} ${CONTENTS[n % CONTENTS.length]}`;
  const own = { n: String(n), CreateTime: String(nowSeconds), MsgId: `77${n}`, Content: content };
  const fields: Record<string, string> = { ...FIELDS, ...own };
  const kinds: (() => OddPush)[] = [
    () => message(xml(fields)),
    () => message(xml(without(fields, n))),
    () => message(xml(fields).replace('</xml>', `${element('MsgType', 'text')}</xml>`)),
    () => message(xml(fields).replace('<xml>', `<xml>${element('ToUserName', USER_NAME)}`)),
    () => message(xml(fields).slice(0, -(1 + (n % 40)))),
    () => message(xml(fields).replaceAll('><![CDATA[', '>\n <![CDATA[')),
    () => message(JSON.stringify(fields).replaceAll('\\n', '\n').replaceAll('\\t', '\t')),
    () => message(broken(JSON.stringify(fields), n)),
    () => message(content),
    () => message(xml({ AppId: COMPONENT.appid, InfoType: 'a_new_event', n: content })),
    () => ({ url: 'events', text: xml(fields) }),
    () => ({ url: 'events', text: xml({ n: content }) }),
  ];
  return (kinds[n % kinds.length] as () => OddPush)();
}

function message(text: string): OddPush {
  return { url: 'messages', text };
}

function broken(json: string, n: number): string {
  const way = BROKEN[Math.floor(n / 12) % BROKEN.length] as (text: string) => string;
  return way(json);
}

function without(fields: Record<string, string>, n: number): Record<string, string> {
  const names = Object.keys(fields).filter((name) => name !== 'Content' && name !== 'n');
  const left = { ...fields };
  delete left[names[n % names.length] ?? ''];
  return left;
}

/** As a careless sender writes it: nothing in CDATA is looked at. */
function xml(fields: Record<string, string>): string {
  const elements = Object.entries(fields).map(([name, value]) => element(name, value));
  return `<xml>${elements.join('\n')}</xml>`;
}

function element(name: string, value: string): string {
  return `<${name}><![CDATA[${value}]]></${name}>`;
}

/** WeChat's servers send so many at once. */
const AT_ONCE = 32;
/** Longest that an answer may take, in milliseconds: WeChat waits 5 s. */
const ANSWER_LIMIT_MS = 4800;

function send(test: TestApp, { url, text }: OddPush, token?: string): Promise<Answer> {
  const push = messagePush(test, text, { token, outerToUserName: '' });
  const outer = url === 'events' ? `<AppId>${cdata(COMPONENT.appid)}</AppId>` : '';
  const body = push.body.replace(/<ToUserName>.*<\/ToUserName>/, outer);
  const path = url === 'events' ? push.path.replace(/messages\/\w+/, 'events') : push.path;
  return sendMessage(test, { ...push, path, body });
}

/** Sends all, some at once; how long each took and what it was answered. */
async function sendAll(
  test: TestApp,
  pushes: OddPush[],
  token?: string,
): Promise<[number, Answer][]> {
  const answers: [number, Answer][] = [];
  const left = pushes.values();
  const sender = async (): Promise<void> => {
    for (const push of left) {
      const started = performance.now();
      const answer = await send(test, push, token);
      answers.push([performance.now() - started, answer]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sender));
  return answers;
}

describe.each(databaseKinds())(
  'signed pushes on %s whose texts are broken in many ways',
  (kind) => {
    // Twice the same would show nothing that one database alone does not. ODD_PUSHES=5000 takes a minute.
    const count = kind === 'sqlite' ? Number(process.env.ODD_PUSHES ?? 1000) : 500;

    it(`are all recorded, answered success in time and delivered with their exact text`, async () => {
      const test = await deliveryHub({ database: kind });
      const receiver = await WebhookReceiver.start();
      try {
        await subscribe(test, receiver, { format: 'json' });
        const now = Math.floor(test.clock.now() / 1000);
        const pushes = Array.from({ length: count }, (_, n) => oddPush(n, now));

        const forged = await sendAll(test, pushes, 'anotherToken');
        expect(new Set(forged.map(([, { status }]) => status))).toEqual(new Set([403]));
        const [none] = await sql(test).query('SELECT COUNT(*) AS n FROM callback_event');
        expect(Number(none?.n)).toBe(0);

        const answers = await sendAll(test, pushes);
        expect(new Set(answers.map(([, { status, text }]) => `${status} ${text}`))).toEqual(
          new Set(['200 success']),
        );
        const slowest = Math.max(...answers.map(([ms]) => ms));
        console.log(`Slowest of ${count} answers on ${kind}: ${slowest.toFixed(0)} ms`);
        expect(slowest).toBeLessThan(ANSWER_LIMIT_MS);
        const [all] = await sql(test).query('SELECT COUNT(*) AS n FROM callback_event');
        expect(Number(all?.n)).toBe(count);

        const ids = (): Set<string> => new Set(receiver.received.map(({ id }) => id));
        for (let n = receiver.received.length; n < count; n = receiver.received.length) {
          await receiver.until('one more delivery', () => receiver.received.length > n);
        }
        await settled(test);
        expect(ids().size).toBe(count);
        const raws = receiver.received.map(({ json }) => json.data.raw as string);
        expect(new Set(raws)).toEqual(new Set(pushes.map(({ text }) => text)));
      } finally {
        await test.close();
        await receiver.close();
      }
    }, 180_000);
  },
);

describe.each(databaseKinds())('what a push on %s is, its text says:', (kind) => {
  const world = useDeliveryWorld(kind);

  it('a ticket that comes to the message URL is a ticket', async () => {
    const { test } = world;
    const ticket = test.simulator.buildTicketPush(COMPONENT.appid);
    const answer = await send(test, { url: 'messages', text: ticket.plaintext });
    expect(answer.text).toBe('success');
    const { json } = await test.hub.get(`/admin/tickets/${COMPONENT.appid}`);
    expect(json.createTime).toBe(Math.floor(test.clock.now() / 1000));
  });

  it('a text that cannot be read whole says why, to subscribers and in the list', async () => {
    const { test, receiver } = world;
    await subscribe(test, receiver, { format: 'json' });
    await subscribe(test, receiver, { format: 'raw' });
    const text = '<xml><MsgType>text</MsgType><Content>broken';
    expect((await send(test, { url: 'messages', text })).text).toBe('success');
    const calls = await receiver.arrived(2);
    const json = calls.find((call) => call.json?.data)?.json;
    expect(json).toMatchObject({
      type: 'message.text',
      data: { raw: text, fields: { MsgType: 'text' }, problem: 'A field does not end' },
    });
    const raw = calls.find((call) => call.body === text);
    expect(raw?.headers['x-hub-push-problem']).toBe('A field does not end');
    const { json: list } = await test.hub.get('/admin/events?limit=1');
    expect(list.events[0]).toMatchObject({ msgType: 'text', problem: 'A field does not end' });
  });

  it('an authorization event is about an account: its subscription hears of it, once', async () => {
    const { test, receiver } = world;
    await subscribe(test, receiver, { authorizerAppId: ACCOUNT });
    await subscribe(test, receiver, { authorizerAppId: 'wxanotheraccount' });
    const fields = { AuthorizerAppid: ACCOUNT };
    await eventArrives(test, 'unauthorized', fields);
    // Encrypted again, as WeChat's second try is.
    await eventArrives(test, 'unauthorized', fields);
    await eventArrives(test, 'unauthorized', { AuthorizerAppid: 'wxathirdaccount' });
    await receiver.arrived(1);
    await settled(test);
    expect(receiver.received.map(({ json }) => [json.type, json.data.authorizerAppId])).toEqual([
      ['authorization.unauthorized', ACCOUNT],
    ]);
    const { json } = await test.hub.get(`/admin/events?account=${ACCOUNT}&type=unauthorized`);
    expect(json.events).toHaveLength(1);
  });
});
