import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cdata } from '../../simulator/push-builder.js';
import { rawRequest } from '../support/http-exchange.js';
import { expectSuccess } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { subscribe } from '../support/delivery-world.js';
import { FakeClock } from '../support/fake-clock.js';
import { ACCOUNT } from '../support/message-pushes.js';
import { messageHub, recordedMessages } from '../support/message-world.js';
import type { TestApp } from '../support/test-app.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

interface Vector {
  id: string;
  format: 'xml' | 'json';
  token: string;
  encoding_aes_key: string;
  tail_id: string;
  timestamp: string;
  nonce: string;
  encrypt: string;
  msg_signature: string;
  plaintext: string;
}

const file = new URL('../vectors/wechat-crypto.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] };

const USER = { ToUserName: 'gh_0a1b2c3d4e5f', FromUserName: 'oAbCdEfGhIjKlMnOpQrStUvWxYz0' };
const DEMO = {
  ToUserName: 'gh_97417a04a28d',
  FromUserName: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY',
  MsgType: 'event',
  Event: 'debug_demo',
  debug_str: 'hello world',
};

/** Id of the vector, and its fields as services get them, written down by hand. */
const EXPECTED: [string, Record<string, string>][] = [
  ['open-doc-push', { ...DEMO, CreateTime: '1715943329' }],
  ['mini-doc-push-json', { ...DEMO, CreateTime: '1714112445' }],
  [
    'gen-text-emoji',
    {
      ...USER,
      CreateTime: '1735690600',
      MsgType: 'text',
      Content: '你好，😀👨\u200d👩\u200d👧 <b>&amp; "quotes"',
      MsgId: '24842939384893849',
    },
  ],
  [
    'gen-release-check-text',
    {
      ToUserName: 'gh_3c884a361561',
      FromUserName: 'oQpXyZ_release_check_user00',
      CreateTime: '1735690800',
      MsgType: 'text',
      Content: 'TESTCOMPONENT_MSG_TYPE_TEXT',
      MsgId: '24842939384893850',
    },
  ],
  [
    'gen-pad16-variant',
    {
      ...USER,
      CreateTime: '1735691000',
      MsgType: 'text',
      Content: 'padded to 16',
      MsgId: '24842939384893852',
    },
  ],
  [
    'gen-pad32',
    {
      ...USER,
      CreateTime: '1735691100',
      MsgType: 'text',
      Content: 'pad32......',
      MsgId: '24842939384893853',
    },
  ],
  [
    'senparc-mp-text-2014',
    {
      ToUserName: 'gh_a96a4a619366',
      FromUserName: 'olPjZjsXuQPJoV0HlruZkNzKc91E',
      CreateTime: '1414387151',
      MsgType: 'text',
      Content: '你好',
      MsgId: '6074746557628292943',
    },
  ],
  [
    'mp-official-cpp',
    {
      ToUserName: 'gh_10f6c3c3ac5a',
      FromUserName: 'oyORnuP8q7ou2gfYjqLzSIWZf0rs',
      CreateTime: '1410349438',
      MsgType: 'text',
      Content: 'abcdteT',
      MsgId: '6057404712141979648',
    },
  ],
];

/** In the order of time, which goes forward only. */
const cases = EXPECTED.map(([id, fields]): [string, Vector, Record<string, string>] => {
  const vector = vectors.find((one) => one.id === id);
  if (!vector) throw new Error(`There is no vector ${id}`);
  return [id, vector, fields];
}).toSorted(([, a], [, b]) => Number(a.timestamp) - Number(b.timestamp));

describe.each(databaseKinds())('a message that another library made, on %s,', (kind) => {
  const clock = new FakeClock(Number(cases[0]?.[1].timestamp) * 1000 - 60_000);
  let test: TestApp;
  let service: WebhookReceiver;
  beforeAll(async () => {
    test = await messageHub({ database: kind, clock });
    service = await WebhookReceiver.start();
    await subscribe(test, service, { mode: 'responder' });
  });
  afterAll(async () => {
    await test.close();
    await service.close();
  });

  async function register(vector: Vector): Promise<void> {
    const secrets = { token: vector.token, encodingAesKey: vector.encoding_aes_key };
    const add = { componentAppId: vector.tail_id, appSecret: 'fake-app-secret', ...secrets };
    const added = await test.hub.post('/admin/components', add);
    if (added.status === 201) return;
    const changed = await test.hub.patch(`/admin/components/${vector.tail_id}`, secrets);
    expect(changed.status).toBe(200);
  }

  function bodyOf(
    { format, encrypt }: Vector,
    { ToUserName = '' }: Record<string, string>,
  ): string {
    return format === 'json'
      ? JSON.stringify({ ToUserName, Encrypt: encrypt })
      : `<xml><ToUserName>${cdata(ToUserName)}</ToUserName><Encrypt>${cdata(encrypt)}</Encrypt></xml>`;
  }

  it.each(cases)('%s, is seen as what it says', async (_, vector, fields) => {
    clock.advance(Number(vector.timestamp) * 1000 + 1500 - clock.now());
    await register(vector);
    const { timestamp, nonce, msg_signature, tail_id } = vector;
    const query = new URLSearchParams({ timestamp, nonce, msg_signature }).toString();
    const path = `/callback/${tail_id}/messages/${ACCOUNT}?${query}`;
    expectSuccess(await rawRequest(test.hub.url, { path, body: bodyOf(vector, fields) }));

    const { MsgType, Event, FromUserName, CreateTime } = fields;
    const kindOf = MsgType === 'event' ? 'event' : 'message';
    const seen = service.received.at(-1)?.json;
    expect(seen).toMatchObject({
      type: `${kindOf}.${Event ?? MsgType}`,
      timestamp: new Date(Number(CreateTime) * 1000).toISOString(),
      data: {
        componentAppId: tail_id,
        authorizerAppId: ACCOUNT,
        fromUserName: FromUserName,
        createTime: Number(CreateTime),
        msgType: MsgType,
      },
    });
    expect(seen.data.fields).toEqual(fields);
    expect(seen.data.raw).toBe(vector.plaintext);
    expect((await recordedMessages(test)).at(-1)).toMatchObject({
      id: seen.data.id,
      kind: kindOf,
      component_appid: tail_id,
      authorizer_appid: ACCOUNT,
      info_type: '',
      msg_type: MsgType,
      event: Event ?? null,
      from_user: FromUserName,
      create_time: Number(CreateTime),
      outcome: 'success',
      payload: vector.plaintext,
    });
  });

  it('all have come', async () => {
    expect(await recordedMessages(test)).toHaveLength(cases.length);
    expect(service.received).toHaveLength(cases.length);
  });
});
