import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectRefusal } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { deliveryHub, subscribe } from '../support/delivery-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import { pushMessage, textFields } from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { prime } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

const TOKEN_PATH = `/api/components/${COMPONENT.appid}/access-token`;
const STOPPING = { status: 503, code: 'stopping' };

describe.each(databaseKinds())('a hub on %s that stops while a responder is asked', (kind) => {
  let test: TestApp;
  let receiver: WebhookReceiver;
  beforeEach(async () => {
    test = await deliveryHub({ database: kind });
    receiver = await WebhookReceiver.start();
    await prime(test);
    await subscribe(test, receiver, { mode: 'responder', kinds: ['message'] });
  });
  afterEach(() => receiver.close());

  it('takes nothing new from the first moment on, and gives the reply that is under way', async () => {
    await test.hub.get(TOKEN_PATH);
    let release: () => void = () => undefined;
    receiver.answer({
      body: JSON.stringify({ MsgType: 'text', Content: 'in time' }),
      until: new Promise<void>((resolve) => (release = resolve)),
    });
    const underWay = pushMessage(test, textFields(test));
    await receiver.arrived(1);
    const stopped = test.close();
    const refusal = await pushMessage(test, textFields(test));
    expectRefusal(refusal, STOPPING);
    expect(refusal.headers.get('connection')).toBe('close');
    expectRefusal(await test.hub.get(TOKEN_PATH), STOPPING);
    release();
    expect((await underWay).text).toMatch(/^<xml>/);
    await stopped;
    expect(receiver.received).toHaveLength(1);
  });
});
