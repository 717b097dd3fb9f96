import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ConnectProxy } from '../../test/support/connect-proxy.js';
import {
  closeClients,
  rawTarget,
  targetCall,
  targetClient,
} from '../../test/support/target-calls.js';
import { WebhookReceiver } from '../../test/support/webhook-receiver.js';
import type { ProxySettings } from '../common/proxy-agent.js';
import { Secret } from '../common/secret.js';
import type { TargetClient } from './target.client.js';

const PUBLIC = [{ address: '93.184.215.14', family: 4 }];
const OWN = [{ address: '127.0.0.1', family: 4 }];

let proxy: ConnectProxy;
let receiver: WebhookReceiver;
beforeAll(async () => {
  proxy = await ConnectProxy.open();
});
afterAll(() => proxy.close());
beforeEach(async () => {
  receiver = await WebhookReceiver.start();
  proxy.connects.length = 0;
  proxy.behaviour = 'connect';
});
afterEach(async () => {
  closeClients();
  await receiver.close();
});

function client(
  allowed: string[],
  addresses = PUBLIC,
  changes: Partial<ProxySettings> = {},
): TargetClient {
  const url = new Secret(`http://hub:fake-password@${proxy.host}`);
  const settings = { https: url, http: url, noProxy: '', forDeliveries: true, ...changes };
  return targetClient(allowed, addresses, undefined, settings);
}

const named = (): string => `http://hooks.example:${receiver.port}/`;
const targets = (): string[] => proxy.connects.map(({ target }) => target);

describe('a delivery through a proxy', () => {
  it('is connected with the address that was checked, on a connection that is kept', async () => {
    const one = client(['hooks.example'], OWN);
    for (let again = 0; again < 3; again += 1) {
      expect((await one.post(targetCall(named()))).status).toBe(200);
    }
    expect(targets()).toEqual([`127.0.0.1:${receiver.port}`]);
    expect(receiver.received[0]?.headers['host']).toBe(`hooks.example:${receiver.port}`);
    expect(receiver.received[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  it('names a public address to the proxy, and not the name', async () => {
    proxy.behaviour = 502;
    const call = client([]).post(targetCall('http://hooks.example/'));
    await expect(call).rejects.toThrow(
      `No connection: the proxy ${proxy.host} did not let the call through: HTTP 502`,
    );
    expect(targets()).toEqual(['93.184.215.14:80']);
  });

  it.each([
    ['a name that leads to this machine', 'https://hooks.example/', OWN],
    [
      'a name that leads into a network',
      'http://hooks.example/',
      [{ address: '10.0.0.7', family: 4 }],
    ],
    ['an address of this machine', 'http://127.0.0.1/', []],
    ['an address of a cloud', 'http://169.254.169.254/', []],
    ['localhost', 'https://localhost/', []],
  ])('is refused before the proxy hears of %s', async (_, url, addresses) => {
    await expect(client([], addresses).post(targetCall(url))).rejects.toThrow('private address');
    expect(proxy.connects).toEqual([]);
  });

  it('does not leave the proxy when a kept connection has died', async () => {
    let answered = 0;
    await rawTarget(
      (socket) => {
        answered += 1;
        if (answered === 2) socket.destroy();
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      },
      async (url) => {
        const one = client(['127.0.0.1']);
        await one.post(targetCall(url));
        expect((await one.post(targetCall(url))).status).toBe(200);
        expect(proxy.connects).toHaveLength(2);
      },
    );
  });

  it('ends in its own time where the proxy says nothing', async () => {
    proxy.behaviour = 'hang';
    const started = performance.now();
    const call = client(['127.0.0.1']).post(targetCall(receiver.url, { timeoutMs: 300 }));
    await expect(call).rejects.toThrow('No answer within 300 ms');
    expect(performance.now() - started).toBeLessThan(1500);
    proxy.cut();
  });

  it('is made directly where NO_PROXY has its host, or deliveries are not to use one', async () => {
    for (const changes of [{ noProxy: '127.0.0.1' }, { forDeliveries: false }]) {
      const one = client(['127.0.0.1'], [], changes);
      expect((await one.post(targetCall(receiver.url))).status).toBe(200);
    }
    expect(proxy.connects).toEqual([]);
  });
});
