import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { WebhookReceiver } from '../../test/support/webhook-receiver.js';
import { TargetRefusedError } from './target-address.js';
import { TargetLookup } from './target-lookup.js';
import { TargetCallError, TargetClient, type TargetCall } from './target.client.js';

const MEBIBYTE = 1024 * 1024;
const LOOPBACK: LookupAddress = { address: '127.0.0.1', family: 4 };

let receiver: WebhookReceiver;
let clients: TargetClient[];

beforeEach(async () => {
  clients = [];
  receiver = await WebhookReceiver.start();
});
afterEach(async () => {
  for (const made of clients) made.onApplicationShutdown();
  await receiver.close();
});

function lookupFor(allowedTargets: string[], clock = new FakeClock()): TargetLookup {
  return new TargetLookup({ delivery: { allowedTargets, timeoutMs: 1000 } }, clock);
}

/** A client that may call `allowed`, with a resolver that says `addresses` of every name. */
function client(allowed: string[], addresses: LookupAddress[] = []): TargetClient {
  const lookup = lookupFor(allowed);
  lookup.resolve = async () => addresses;
  const made = new TargetClient(lookup);
  clients.push(made);
  return made;
}

function call(changes: Partial<TargetCall> = {}): TargetCall {
  return {
    url: receiver.url,
    headers: { 'content-type': 'application/json' },
    body: '{}',
    timeoutMs: 2000,
    readBody: true,
    ...changes,
  };
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
    const answer = await client(['127.0.0.1']).post(call({ headers, body: '你好' }));
    expect(answer).toEqual({ status: 201, contentType: 'text/xml', body: '<xml>好</xml>' });
    expect(receiver.received[0]).toMatchObject({
      path: '/hook',
      body: '你好',
      headers: { 'webhook-id': 'one', 'content-length': '6', 'user-agent': 'component-hub' },
    });
  });

  it('uses a connection again', async () => {
    const one = client(['127.0.0.1']);
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
    const one = client(['127.0.0.1']);
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
    const failure = client(['127.0.0.1']).post(call({ url, body: 'fake-content' }));
    await expect(failure).rejects.toThrow('The connection failed: ECONNREFUSED');
  });

  it('ends with its signal', async () => {
    receiver.answer({ hang: true });
    const stop = new AbortController();
    const failure = client(['127.0.0.1']).post(call({ signal: stop.signal }));
    await receiver.arrived(1);
    stop.abort();
    await expect(failure).rejects.toThrow('The call was ended');
    await receiver.until('the end of the connection', () => receiver.open === 0);
  });
});

describe('a target that is private', () => {
  it('is not connected to where the URL has its address', async () => {
    await expect(client([]).post(call())).rejects.toThrow(TargetRefusedError);
    await expect(client([]).post(call({ url: named('2130706433') }))).rejects.toThrow(
      TargetRefusedError,
    );
    expect(receiver.received).toEqual([]);
  });

  it.each<[string, LookupAddress[]]>([
    ['loopback', [LOOPBACK]],
    ['loopback as IPv6', [{ address: '::ffff:127.0.0.1', family: 6 }]],
    ['only private ones', [{ address: '10.0.0.1', family: 4 }, LOOPBACK]],
    ['none', []],
  ])('is not connected to where a name resolves to: %s', async (_, addresses) => {
    const failure = client([], addresses).post(call({ url: named('service.example.com') }));
    await expect(failure).rejects.toThrow(TargetRefusedError);
    expect(receiver.received).toEqual([]);
  });

  it('is refused when a name that led elsewhere leads to it: each connection is checked', async () => {
    const clock = new FakeClock();
    const lookup = lookupFor([], clock);
    let address = '8.8.8.8';
    lookup.resolve = async () => [{ address, family: 4 }];
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
    const lookup = lookupFor([]);
    lookup.resolve = async () => [LOOPBACK, { address: '8.8.8.8', family: 4 }];
    const found = await new Promise((resolve) => {
      lookup.lookup('both.example.com', { all: true }, (_, addresses) => resolve(addresses));
    });
    expect(found).toEqual([{ address: '8.8.8.8', family: 4 }]);
  });

  it('is called where its host is allowed, or its address', async () => {
    const url = named('hooks.internal');
    await client(['hooks.internal'], [LOOPBACK]).post(call({ url }));
    await client(['127.0.0.0/8'], [LOOPBACK]).post(call({ url }));
    await client(['127.0.0.1']).post(call());
    expect(receiver.received).toHaveLength(3);
    const other = client(['other.internal'], [LOOPBACK]).post(call({ url }));
    await expect(other).rejects.toThrow(TargetRefusedError);
  });

  it('is not reached by way of a redirect', async () => {
    const secret = await WebhookReceiver.start();
    receiver.answer({ status: 307, headers: { location: secret.url } });
    const answer = await client(['127.0.0.1']).post(call());
    expect(answer.status).toBe(307);
    expect(secret.received).toEqual([]);
    await secret.close();
  });

  it('asks the resolver once for all that call one name at once', async () => {
    const lookup = lookupFor(['slow']);
    let asked = 0;
    lookup.resolve = async () => {
      asked += 1;
      return [LOOPBACK];
    };
    const one = new TargetClient(lookup);
    clients.push(one);
    await Promise.all(Array.from({ length: 20 }, () => one.post(call({ url: named('slow') }))));
    expect(asked).toBe(1);
    expect(receiver.received).toHaveLength(20);
  });
});

describe('an answer that is hostile', () => {
  const one = () => client(['127.0.0.1']);

  it('is not waited for longer than is allowed: none at all', async () => {
    receiver.answer({ hang: true });
    await expect(one().post(call({ timeoutMs: 100 }))).rejects.toThrow('No answer within 100 ms');
    await receiver.until('the end of the connection', () => receiver.open === 0);
  });

  it('is not waited for longer than is allowed: one that trickles', async () => {
    receiver.answer({
      raw: (response) => {
        response.writeHead(200);
        const timer = setInterval(() => response.write('x'), 10);
        response.on('close', () => clearInterval(timer));
      },
    });
    const started = performance.now();
    await expect(one().post(call({ timeoutMs: 150 }))).rejects.toThrow(TargetCallError);
    expect(performance.now() - started).toBeLessThan(2000);
    await receiver.until('the end of the connection', () => receiver.open === 0);
  });

  it('is not read beyond 256 KiB', async () => {
    let written = 0;
    receiver.answer({
      raw: (response) => {
        response.writeHead(200);
        const more = (): void => {
          while (!response.destroyed && response.write('x'.repeat(64 * 1024))) written += 65_536;
        };
        response.on('drain', more);
        more();
      },
    });
    await expect(one().post(call())).rejects.toThrow('The answer is larger than 256 KiB');
    await receiver.until('the end of the connection', () => receiver.open === 0);
    expect(written).toBeLessThan(16 * MEBIBYTE);
  });

  it('of 256 KiB is read whole', async () => {
    receiver.answer({ body: 'x'.repeat(256 * 1024) });
    expect((await one().post(call())).body).toHaveLength(256 * 1024);
  });

  it.each([
    ['2 MB', { body: 'x'.repeat(2 * MEBIBYTE) }],
    [
      'without an end',
      {
        raw: (response: import('node:http').ServerResponse) => {
          response.writeHead(200);
          response.write('x');
        },
      },
    ],
  ])('is cut where nobody reads it, its status counts: %s', async (_, answer) => {
    receiver.answer(answer);
    expect(await one().post(call({ readBody: false }))).toMatchObject({ status: 200, body: '' });
    await receiver.until('the end of the connection', () => receiver.open === 0);
  });

  it.each([
    ['headers of 64 KiB', `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(65_536)}\r\n\r\n`],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx'],
    ['nothing but an end', ''],
  ])('is a failure: %s', async (_, bytes) => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(bytes));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const failure = one().post(call({ url: `http://127.0.0.1:${port}/` }));
    await expect(failure).rejects.toThrow(TargetCallError);
    server.close();
  });

  it('that ends before its length is a failure', async () => {
    receiver.answer({
      raw: (response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half of it', () => response.destroy());
      },
    });
    await expect(one().post(call())).rejects.toThrow('ended before it was complete');
  });

  it('is not unpacked', async () => {
    receiver.answer({ headers: { 'content-encoding': 'gzip' }, body: 'not gzip at all' });
    expect((await one().post(call())).body).toBe('not gzip at all');
    expect(receiver.received[0]?.headers['accept-encoding']).toBe('identity');
  });
});
