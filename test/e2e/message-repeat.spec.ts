import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { gate } from '../support/gate.js';
import { eventually } from '../support/eventually.js';
import { PushAnswers } from '../../src/callback/push-answers.js';
import { PushStore } from '../../src/callback/push.store.js';
import { PUSH_BUDGET } from '../../src/callback/push-budget.js';
import { expectSuccess } from '../support/callback-state.js';
import {
  createTestDatabase,
  databaseKinds,
  mysqlOnly,
  type TestDatabase,
} from '../support/databases.js';
import { settled, subscribe } from '../support/delivery-world.js';
import { FakeClock } from '../support/fake-clock.js';
import { heapUsed } from '../support/heap.js';
import type { Answer } from '../support/hub-client.js';
import {
  eventFields,
  messagePush,
  sendMessage,
  textFields,
  triedAgain,
  type MessagePush,
} from '../support/message-pushes.js';
import { messageHub, recordedMessages, replyText } from '../support/message-world.js';
import type { TestApp } from '../support/test-app.js';
import { addPlatform, sql } from '../support/token-world.js';
import { WebhookReceiver, type WebhookAnswer } from '../support/webhook-receiver.js';

const text = (content: string): WebhookAnswer => ({
  body: JSON.stringify({ MsgType: 'text', Content: content }),
});

/** Tells when a hub has recognised repetitions, which wait from then on. */
function repetitionsOf({ app }: TestApp): { arrived: (count: number) => Promise<void> } {
  const seen = vi.spyOn(app.get(PushAnswers), 'repeat');
  return {
    arrived: async (count) => {
      const enough = (): true | undefined => (seen.mock.calls.length >= count ? true : undefined);
      await eventually(`${count} repetitions`, enough);
      seen.mockRestore();
    },
  };
}

describe.each(databaseKinds())('a message that is pushed again, on %s,', (kind) => {
  let test: TestApp;
  let service: WebhookReceiver;
  let responder: WebhookReceiver;
  let responderId: string;
  beforeAll(async () => {
    test = await messageHub({ database: kind });
    service = await WebhookReceiver.start();
    responder = await WebhookReceiver.start();
    await subscribe(test, service, { kinds: ['message', 'event'] });
    responderId = (await subscribe(test, responder, { mode: 'responder' })).id;
  });
  afterAll(async () => {
    await test.close();
    await service.close();
    await responder.close();
  });
  beforeEach(() => {
    responder.answer({});
    service.clear();
    responder.clear();
  });

  const count = async (): Promise<number> => (await recordedMessages(test)).length;
  const send = (push: MessagePush): Promise<Answer> => sendMessage(test, push);

  it.each([
    ['a message', () => textFields(test)],
    ['an event', () => eventFields(test, 'CLICK', { EventKey: String(Math.random()) })],
    ['a push without user and time', () => textFields(test, { FromUserName: undefined })],
  ])('is recorded once and delivered once: %s', async (_, make) => {
    const before = await count();
    const first = messagePush(test, make());
    expectSuccess(await send(first));
    expectSuccess(await send(first));
    expectSuccess(await send(triedAgain(test, first)));
    test.clock.advance(5000);
    expectSuccess(await send(triedAgain(test, first)));
    await settled(test);
    expect(await count()).toBe(before + 1);
    expect([service.received.length, responder.received.length]).toEqual([1, 1]);
  });

  it('40 times at once is recorded once and delivered once, whatever comes beside it', async () => {
    const before = await count();
    const first = messagePush(test, textFields(test));
    const pushes = Array.from({ length: 40 }, (_, index) => [
      index % 2 === 0 ? first : triedAgain(test, first),
      messagePush(test, textFields(test)),
    ]).flat();
    for (const answer of await Promise.all(pushes.map(send))) expectSuccess(answer);
    await settled(test);
    expect(await count()).toBe(before + 41);
    expect([service.received.length, responder.received.length]).toEqual([41, 41]);
  });

  it('is another message at another account, and at another platform', async () => {
    const before = await count();
    const fields = textFields(test);
    const { appid } = await addPlatform(test);
    expectSuccess(await send(messagePush(test, fields)));
    expectSuccess(await send(messagePush(test, fields, { account: 'wxanother' })));
    expectSuccess(await send(messagePush(test, fields, { component: appid })));
    expect(await count()).toBe(before + 3);
  });

  it('while its responder is at it waits for the same reply', async () => {
    const { opened, open } = gate();
    responder.answer({ ...text('patience'), until: opened });
    const first = messagePush(test, textFields(test));
    const answers = [send(first)];
    await responder.arrived(1);
    const repeats = repetitionsOf(test);
    answers.push(send(first), send(triedAgain(test, first)));
    await repeats.arrived(2);
    open();
    expect((await Promise.all(answers)).map(replyText)).toEqual(Array(3).fill('patience'));
    expect(responder.received).toHaveLength(1);
  });

  it('is answered success with the first one when its responder is too slow', async () => {
    await test.hub.patch(`/admin/subscriptions/${responderId}`, { budgetMs: 300 });
    const { opened, open } = gate();
    responder.answer({ ...text('too late'), until: opened });
    const first = messagePush(test, textFields(test));
    const waiting = send(first);
    await responder.arrived(1);
    const repeats = repetitionsOf(test);
    const again = [send(first), send(triedAgain(test, first))];
    await repeats.arrived(2);
    const answers = await Promise.all([waiting, ...again]);
    open();
    for (const answer of answers) expectSuccess(answer);
    expect(responder.received).toHaveLength(1);
  });

  it('waits for no reply of a responder that was not there when it first came', async () => {
    const path = `/admin/subscriptions/${responderId}`;
    await test.hub.patch(path, { enabled: false });
    const first = messagePush(test, textFields(test));
    expectSuccess(await send(first));
    await test.hub.patch(path, { enabled: true });
    const started = performance.now();
    expectSuccess(await send(triedAgain(test, first)));
    expect(performance.now() - started).toBeLessThan(PUSH_BUDGET.repeatedBy / 2);
    expect(responder.received).toHaveLength(0);
  });

  it('is answered success where the reply can no longer be decrypted', async () => {
    responder.answer(text('lost'));
    const first = messagePush(test, textFields(test));
    expect(replyText(await send(first))).toBe('lost');
    await settled(test);
    const id = responder.received[0]?.json.data.id;
    await sql(test).query("UPDATE callback_event SET reply = 'enc:v1:t1:AAAA' WHERE id = ?", [id]);
    expectSuccess(await send(first));
    expect(responder.received).toHaveLength(1);
  });

  it('is not kept in memory, however often it comes', async () => {
    const large = messagePush(test, textFields(test, { Content: 'x'.repeat(300_000) }));
    const again = async (times: number): Promise<void> => {
      for (let time = 0; time < times; time += 1) expectSuccess(await send(large));
    };
    await again(10);
    await settled(test);
    const before = heapUsed();
    await again(100);
    const growth = (heapUsed() - before) / 1024 / 1024;
    console.log(`Heap after 100 repetitions of 300 KB on ${kind}: ${growth.toFixed(1)} MiB more`);
    expect(growth).toBeLessThan(8);
  });
});

describe.each(mysqlOnly())('two hubs on one %s database', (kind) => {
  let database: TestDatabase;
  let one: TestApp;
  let other: TestApp;
  let service: WebhookReceiver;
  let responder: WebhookReceiver;
  let responderId: string;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    const clock = new FakeClock();
    one = await messageHub({ database, clock });
    other = await messageHub({ database, clock });
    service = await WebhookReceiver.start();
    responder = await WebhookReceiver.start();
    await subscribe(one, service, { kinds: ['message'] });
    responderId = (
      await subscribe(one, responder, { mode: 'responder', authorizerAppId: 'wxresponded' })
    ).id;
    // Known to both.
    clock.advance(10_000);
    await other.hub.get('/admin/subscriptions');
  });
  afterAll(async () => {
    await Promise.all([one.close(), other.close()]);
    await service.close();
    await responder.close();
    await database.drop();
  });

  const both = (push: MessagePush): Promise<Answer>[] => [
    sendMessage(one, push),
    sendMessage(other, triedAgain(one, push)),
    sendMessage(one, triedAgain(one, push)),
  ];

  it('take a message once that comes to both at the same moment', async () => {
    const before = (await recordedMessages(one)).length;
    const pushes = Array.from({ length: 30 }, () => messagePush(one, textFields(one)));
    const answers = await Promise.all(pushes.flatMap(both));
    for (const answer of answers) expectSuccess(answer);
    await Promise.all([settled(one), settled(other)]);
    expect((await recordedMessages(one)).length).toBe(before + 30);
    const delivered = service.received.map(({ json }) => json.data.fields.MsgId);
    expect(delivered.toSorted()).toEqual([...new Set(delivered)].toSorted());
    expect(delivered).toHaveLength(30);
  });

  it('give the reply that the other one is waiting for', async () => {
    const { opened, open } = gate();
    responder.answer({ ...text('from the other'), until: opened });
    const first = messagePush(one, textFields(one), { account: 'wxresponded' });
    const waiting = sendMessage(one, first);
    await responder.arrived(1);
    const repeats = repetitionsOf(other);
    const again = sendMessage(other, triedAgain(one, first));
    const same = sendMessage(other, first);
    await repeats.arrived(2);
    open();
    const answers = await Promise.all([waiting, again, same]);
    expect(answers.map(replyText)).toEqual(Array(3).fill('from the other'));
    expect(responder.received).toHaveLength(1);
    // Long after, it stands in the row.
    one.clock.advance(60_000);
    expect(replyText(await sendMessage(other, triedAgain(one, first)))).toBe('from the other');
    expect(responder.received).toHaveLength(1);
  });

  /** Keeps the reply to a push from being stored. @returns what ends that. */
  async function lockRow(id: string): Promise<() => Promise<void>> {
    const lock = sql(one).createQueryRunner();
    await lock.startTransaction();
    await lock.query('SELECT id FROM callback_event WHERE id = ? FOR UPDATE', [id]);
    return async () => {
      if (lock.isReleased) return;
      await lock.rollbackTransaction();
      await lock.release();
    };
  }

  /** A push whose responder has been asked. */
  async function askedAbout(answer: WebhookAnswer): Promise<{
    first: MessagePush;
    id: string;
    waiting: Promise<Answer>;
    open: () => void;
  }> {
    const { opened, open } = gate();
    responder.answer({ ...answer, until: opened });
    responder.clear();
    const first = messagePush(one, textFields(one), { account: 'wxresponded' });
    const waiting = sendMessage(one, first);
    const [call] = await responder.arrived(1);
    return { first, id: call?.json.data.id, waiting, open };
  }

  it('give it also where the responder is changed meanwhile', async () => {
    const { first, waiting, open } = await askedAbout(text('changed meanwhile'));
    one.clock.advance(1);
    await other.hub.patch(`/admin/subscriptions/${responderId}`, { name: 'Renamed' });
    const repeats = repetitionsOf(other);
    const again = sendMessage(other, triedAgain(one, first));
    await repeats.arrived(1);
    open();
    const answers = await Promise.all([waiting, again]);
    expect(answers.map(replyText)).toEqual(Array(2).fill('changed meanwhile'));
  });

  it('give it also while it is being stored, however long that takes', async () => {
    const { first, id, waiting, open } = await askedAbout(text('slowly stored'));
    const unlock = await lockRow(id);
    const looks = vi.spyOn(other.app.get(PushStore), 'replyOf');
    try {
      open();
      const again = sendMessage(other, triedAgain(one, first));
      // An attempt without a reply would be on record by now.
      await eventually('10 looks', () => (looks.mock.calls.length >= 10 ? true : undefined));
      await unlock();
      const answers = await Promise.all([waiting, again]);
      expect(answers.map(replyText)).toEqual(Array(2).fill('slowly stored'));
    } finally {
      looks.mockRestore();
      await unlock();
    }
  });

  it('send a reply in time that cannot be stored, and only lose it for repetitions', async () => {
    const { id, waiting, open } = await askedAbout(text('not stored'));
    const started = performance.now();
    const unlock = await lockRow(id);
    try {
      open();
      expect(replyText(await waiting)).toBe('not stored');
    } finally {
      await unlock();
    }
    const seconds = (performance.now() - started) / 1000;
    // The database gives up waiting for the lock after 3 s.
    expect(seconds).toBeGreaterThan(2.5);
    expect(seconds).toBeLessThan(7);
  });

  it.each<[string, WebhookAnswer]>([
    ['has nothing to say', {}],
    ['fails', { status: 500 }],
    ['hangs up', { raw: (response) => response.destroy() }],
  ])('do not wait for a responder that %s', async (_, answer) => {
    responder.answer(answer);
    responder.clear();
    const first = messagePush(one, textFields(one), { account: 'wxresponded' });
    const repeats = repetitionsOf(other);
    const started = performance.now();
    const answers = [sendMessage(one, first)];
    await responder.arrived(1);
    answers.push(sendMessage(other, triedAgain(one, first)));
    await repeats.arrived(1);
    answers.push(sendMessage(other, triedAgain(one, first)));
    expect((await Promise.all(answers)).map((answered) => answered.text)).toEqual(
      Array(3).fill('success'),
    );
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it.each([
    ['a message without a responder', textFields, {}, 'success'],
    ['an event without a responder', eventFields, {}, 'success'],
    [
      'a code of the release check',
      textFields,
      { Content: 'QUERY_AUTH_CODE:self-check@@@fake', ToUserName: 'gh_3c884a361561' },
      '',
    ],
  ] as const)('do not wait for what nobody can be waiting for: %s', async (...row) => {
    const [, make, changes, answer] = row;
    const fields = make === textFields ? textFields(one, changes) : eventFields(one, 'VIEW');
    const account = answer === '' ? 'wx570bc396a51b8ff8' : 'wxnobody';
    const first = messagePush(one, fields, { account });
    expect((await sendMessage(one, first)).text).toBe(answer);
    const started = performance.now();
    expect((await sendMessage(other, triedAgain(one, first))).text).toBe(answer);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
