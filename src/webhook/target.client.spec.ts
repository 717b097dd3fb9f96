import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import type { ClientRequest } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import {
  closeClients,
  lookupFor,
  targetCall,
  targetClient,
} from '../../test/support/target-calls.js';
import { WebhookReceiver } from '../../test/support/webhook-receiver.js';
import { TargetRefusedError } from './target-address.js';
import { TargetClient, type TargetCall } from './target.client.js';

const LOOPBACK: LookupAddress = { address: '127.0.0.1', family: 4 };

let receiver: WebhookReceiver;

beforeEach(async () => {
  receiver = await WebhookReceiver.start();
});
afterEach(async () => {
  closeClients();
  await receiver.close();
});

function call(changes: Partial<TargetCall> = {}): TargetCall {
  return targetCall(receiver.url, changes);
}

/** The receiver under another name. */
function named(host: string): string {
  return `http://${host}:${receiver.port}/hook`;
}

describe('a call of a target', () => {
  it('posts the body with its headers and gives the answer', async () => {
    receiver.answer({
      status: 201,
      headers: { 'content-type': 'text/xml' },
      body: '<xml>好</xml>',
    });
    const headers = { 'content-type': 'text/xml', 'webhook-id': 'one' };
    const answer = await targetClient(['127.0.0.1']).post(call({ headers, body: '你好' }));
    expect(answer).toEqual({
      status: 201,
      contentType: 'text/xml',
      body: '<xml>好</xml>',
      headers: expect.objectContaining({ 'content-type': 'text/xml' }),
    });
    expect(receiver.received[0]).toMatchObject({
      path: '/hook',
      body: '你好',
      headers: { 'webhook-id': 'one', 'content-length': '6', 'user-agent': 'component-hub' },
    });
  });

  it('shows its headers to what instruments `node:http`', async () => {
    const seen: unknown[] = [];
    const look = (message: unknown): void =>
      void seen.push((message as { request: ClientRequest }).request.getHeaders());
    subscribe('http.client.request.start', look);
    await targetClient(['127.0.0.1'])
      .post(call({ headers: { 'webhook-id': 'one' } }))
      .finally(() => unsubscribe('http.client.request.start', look));
    expect(seen).toMatchObject([{ 'webhook-id': 'one', 'user-agent': 'component-hub' }]);
  });

  it('uses a connection again', async () => {
    const one = targetClient(['127.0.0.1']);
    for (let count = 0; count < 5; count += 1) await one.post(call({ readBody: false }));
    expect(new Set(receiver.received.map(({ port }) => port)).size).toBe(1);
  });

  it('makes another connection where the target has closed the kept one', async () => {
    const closed: Socket[] = [];
    const server = createTcpServer((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        // The second request on this connection finds it cut.
        socket.once('data', () => closed.push(socket.destroy()));
      });
      socket.on('error', () => undefined);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const one = targetClient(['127.0.0.1']);
    const url = `http://127.0.0.1:${port}/`;
    expect((await one.post(call({ url }))).status).toBe(200);
    expect((await one.post(call({ url }))).status).toBe(200);
    expect(closed).toHaveLength(1);
    one.onApplicationShutdown();
    server.close();
  });

  it('says why there was no answer, and nothing of what was sent', async () => {
    const { url } = receiver;
    await receiver.close();
    const failure = targetClient(['127.0.0.1']).post(call({ url, body: 'fake-content' }));
    await expect(failure).rejects.toThrow('The connection failed: ECONNREFUSED');
  });

  it('fails where its name has no address', async () => {
    const failure = targetClient([]).post(call({ url: named('service.example.com') }));
    await expect(failure).rejects.toThrow('The connection failed: ENOTFOUND');
  });

  it('ends with its signal', async () => {
    receiver.answer({ hang: true });
    const stop = new AbortController();
    const failure = targetClient(['127.0.0.1']).post(call({ signal: stop.signal }));
    await receiver.arrived(1);
    stop.abort();
    await expect(failure).rejects.toThrow('The call was ended');
    await receiver.until('the end of the connection', () => receiver.open === 0);
  });
});

describe('a target that is private', () => {
  it('is not connected to where the URL has its address', async () => {
    await expect(targetClient([]).post(call())).rejects.toThrow(TargetRefusedError);
    await expect(targetClient([]).post(call({ url: named('2130706433') }))).rejects.toThrow(
      TargetRefusedError,
    );
    expect(receiver.received).toEqual([]);
  });

  it.each<[string, LookupAddress[]]>([
    ['loopback', [LOOPBACK]],
    ['loopback as IPv6', [{ address: '::ffff:127.0.0.1', family: 6 }]],
    ['only private ones', [{ address: '10.0.0.1', family: 4 }, LOOPBACK]],
  ])('is not connected to where a name resolves to: %s', async (_, addresses) => {
    const failure = targetClient([], addresses).post(call({ url: named('service.example.com') }));
    await expect(failure).rejects.toThrow(TargetRefusedError);
    expect(receiver.received).toEqual([]);
  });

  it('is refused when a name that led elsewhere leads to it: each connection is checked', async () => {
    const clock = new FakeClock();
    let address = '8.8.8.8';
    const lookup = lookupFor([], async () => [{ address, family: 4 }], clock);
    const ask = (): Promise<string> =>
      new Promise((resolve) => {
        lookup.lookup('rebinding.example.com', { all: false }, (error, found) =>
          resolve(error === null ? String(found) : error.message),
        );
      });
    expect(await ask()).toBe('8.8.8.8');
    address = '127.0.0.1';
    clock.advance(10_000);
    expect(await ask()).toContain('private address');
  });

  it('is left out where a name has public addresses too', async () => {
    const both = [LOOPBACK, { address: '8.8.8.8', family: 4 }];
    const lookup = lookupFor([], async () => both);
    const found = await new Promise((resolve) => {
      lookup.lookup('both.example.com', { all: true }, (_, addresses) => resolve(addresses));
    });
    expect(found).toEqual([{ address: '8.8.8.8', family: 4 }]);
  });

  it('is called where its host is allowed, or its address', async () => {
    const url = named('hooks.internal');
    await targetClient(['hooks.internal'], [LOOPBACK]).post(call({ url }));
    await targetClient(['127.0.0.0/8'], [LOOPBACK]).post(call({ url }));
    await targetClient(['127.0.0.1']).post(call());
    expect(receiver.received).toHaveLength(3);
    const other = targetClient(['other.internal'], [LOOPBACK]).post(call({ url }));
    await expect(other).rejects.toThrow(TargetRefusedError);
  });

  it('is not reached by way of a redirect', async () => {
    const secret = await WebhookReceiver.start();
    receiver.answer({ status: 307, headers: { location: secret.url } });
    const answer = await targetClient(['127.0.0.1']).post(call());
    expect(answer.status).toBe(307);
    expect(secret.received).toEqual([]);
    await secret.close();
  });

  it('asks the resolver once for all that call one name at once', async () => {
    let asked = 0;
    const lookup = lookupFor(['slow'], async () => {
      asked += 1;
      return [LOOPBACK];
    });
    const one = new TargetClient(lookup);
    await Promise.all(Array.from({ length: 20 }, () => one.post(call({ url: named('slow') }))));
    one.onApplicationShutdown();
    expect(asked).toBe(1);
    expect(receiver.received).toHaveLength(20);
  });
});
