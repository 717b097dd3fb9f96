import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LANE_LIMITS } from '../../src/delivery/delivery.lanes.js';
import { MessageService } from '../../src/message/message.service.js';
import { gate } from '../support/gate.js';
import { authorizeByEvent, newAccount } from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import {
  deliverDue,
  deliveries,
  deliveryOf,
  messagePush,
  passToRetry,
  settled,
  subscribe,
  useDeliveryWorld,
} from '../support/delivery-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import { pushMessage, textFields } from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';
import type { WebhookReceiver } from '../support/webhook-receiver.js';

const TOO_LATE = 'The answer came too late for WeChat';
const SENT_LATE = `${TOO_LATE}; it was sent as a customer-service message`;
/** Where late replies go. */
const SEND = '/cgi-bin/message/custom/send';
const REPLY = { body: JSON.stringify({ MsgType: 'text', Content: 'late' }) };

describe.each(databaseKinds())('a reply that WeChat does not wait for on %s', (kind) => {
  const world = useDeliveryWorld(kind);
  let test: TestApp;
  let receiver: WebhookReceiver;
  let account: string;
  beforeAll(async () => {
    ({ test, receiver } = world);
    await test.simulator.pushTicket(COMPONENT.appid);
    account = newAccount(test);
    await authorizeByEvent(test, account);
  });
  beforeEach(() => {
    test.simulator.customMessages.clear();
  });

  const respondWith = (values: Record<string, unknown>) =>
    subscribe(test, receiver, { mode: 'responder', kinds: ['message'], ...values });

  const history = async (): Promise<any[]> => {
    const [first] = await deliveries(test, { limit: '1' });
    return (await deliveryOf(test, first.id)).history;
  };

  /** A message whose body took so many milliseconds to come in. */
  function slowly(elapsedMs: number): Promise<string> {
    const { path, body } = messagePush(test, textFields(test), { account });
    const query = Object.fromEntries(new URL(path, 'http://hub').searchParams);
    const push = { query, body: Buffer.from(body), sourceAddress: '127.0.0.1', elapsedMs };
    const incoming = { componentAppId: COMPONENT.appid, ...push };
    return test.app.get(MessageService, { strict: false }).receive(incoming, account);
  }

  it.each([
    [false, [], TOO_LATE],
    [true, ['late'], SENT_LATE],
  ])('as its message came in slowly is late (lateReply %s)', async (lateReply, sent, error) => {
    await respondWith({ lateReply });
    const { opened: until, open: release } = gate();
    receiver.answer({ ...REPLY, until });
    expect(await slowly(4300)).toBe('success');
    release();
    await settled(test);
    expect(await history()).toMatchObject([{ cause: 'responder', status: 200, error }]);
    const texts = test.simulator.customMessages.last().map(({ body }: any) => body.text.content);
    expect(texts).toEqual(sent);
  });

  it.each([
    [false, [], TOO_LATE],
    [true, ['late'], SENT_LATE],
  ])('as the first call failed is late (lateReply %s)', async (lateReply, sent, error) => {
    await respondWith({ lateReply });
    receiver.answer({ status: 500 });
    await pushMessage(test, textFields(test), { account });
    await settled(test);
    await passToRetry(test);
    receiver.answer(REPLY);
    await deliverDue(test);
    expect((await history()).at(-1)).toMatchObject({ cause: 'schedule', error });
    const texts = test.simulator.customMessages.last().map(({ body }: any) => body.text.content);
    expect(texts).toEqual(sent);
  });

  it('keeps its place until WeChat has it', async () => {
    await respondWith({ lateReply: true });
    const { perSubscription } = LANE_LIMITS;
    receiver.answer({ status: 500 });
    const pushes = Array.from({ length: perSubscription + 4 }, () =>
      pushMessage(test, textFields(test), { account }),
    );
    await Promise.all(pushes);
    await settled(test);
    // The retries are spread: twice the wait of one is past all of them.
    test.clock.advance(await passToRetry(test));
    receiver.clear();
    receiver.answer(REPLY);
    test.simulator.clearCalls();
    const fault = test.simulator.addFault({ path: SEND, kind: 'hang' });
    const delivered = deliverDue(test);
    try {
      await test.simulator.waitForCall(SEND, { count: perSubscription });
      expect(receiver.received).toHaveLength(perSubscription);
    } finally {
      test.simulator.removeFaults(fault);
      test.simulator.release();
      await delivered;
    }
    expect(receiver.received).toHaveLength(perSubscription + 4);
  });

  it('as the user has had one already is not sent again', async () => {
    await respondWith({ lateReply: true });
    receiver.answer(REPLY);
    expect((await pushMessage(test, textFields(test), { account })).text).toMatch(/^<xml>/);
    await settled(test);
    // As if the process had died before the result was on record.
    await sql(test).query(
      `UPDATE delivery SET status = 'pending', attempts = 0, next_attempt_at = ?
       WHERE id = ?`,
      [test.clock.now(), receiver.received[0]?.id],
    );
    await deliverDue(test);
    expect(receiver.received).toHaveLength(2);
    expect(test.simulator.customMessages.last()).toEqual([]);
    expect((await history()).at(-1)).toMatchObject({ cause: 'schedule', error: null });
  });
});
