import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { duplexPair, type Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { GATE_LIMITS, RequestGate, type GateLimits } from './request-gate.js';

const sockets: Socket[] = [];
let server: Server;

async function listen(limits: Partial<GateLimits>, handler: RequestListener): Promise<void> {
  const gate = new RequestGate({ ...GATE_LIMITS, ...limits }, () => false);
  server = gate.createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
}

/** A connection, with all that it was sent. */
async function open(
  text = '',
  localAddress = '127.0.0.1',
): Promise<{ socket: Socket; received: () => string }> {
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', localAddress }).on('error', () => undefined);
  sockets.push(socket);
  let received = '';
  socket.on('data', (chunk) => (received += chunk));
  await once(socket, 'connect');
  socket.write(text);
  return { socket, received: () => received };
}

/** A connection of an address that this machine does not have. */
function connectFrom(
  remoteAddress: string,
  text = '',
): { stream: Duplex; received: () => string; ended: () => boolean } {
  const [stream, far] = duplexPair();
  let received = '';
  let ended = false;
  stream.on('data', (chunk) => (received += chunk)).on('error', () => undefined);
  far.once('close', () => (ended = true)).on('error', () => undefined);
  server.emit('connection', Object.assign(far, { remoteAddress }));
  stream.write(text);
  return { stream, received: () => received, ended: () => ended };
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
}

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  server.close();
});

const GET = 'GET /a HTTP/1.1\r\nhost: a\r\n\r\n';
const HEALTH = GET.replace('/a', '//Health/ready');
const PUSH = 'POST /callback/a/events HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n';
const upload = (bytes: number): string =>
  `POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: ${bytes}\r\n\r\n`;

describe('the gate in front of requests', () => {
  it('answers one request at a time on a connection, in order', async () => {
    let underWay = 0;
    let most = 0;
    await listen({}, (request, response) => {
      most = Math.max(most, (underWay += 1));
      setImmediate(() => {
        underWay -= 1;
        response.end(request.url);
      });
    });
    const { received } = await open([1, 2, 3].map((n) => GET.replace('/a', `/${n}`)).join(''));
    await until(() => received().includes('/3'));
    expect(most).toBe(1);
    expect(received().match(/\r\n\r\n(?:2\r\n)?(\/\d)/g)).toHaveLength(3);
  });

  it('ends a connection on which more wait than the limit', async () => {
    let handled = 0;
    await listen({ pipelined: 4 }, () => (handled += 1));
    const { socket } = await open(GET.repeat(100));
    await once(socket, 'close');
    expect(handled).toBe(1);
  });

  it('answers 503 and closes beyond the requests under way, and has room for pushes', async () => {
    const held: (() => void)[] = [];
    await listen({ requests: 2, pushes: 1 }, (_, response) => held.push(() => response.end('ok')));
    await open(GET);
    await open(GET);
    await until(() => held.length === 2);
    const refused = await open(GET);
    await once(refused.socket, 'close');
    expect(refused.received()).toMatch(/^HTTP\/1.1 503 .*connection: close.*"too_busy"/is);
    expect(refused.received()).toMatch(/cache-control: no-store/i);
    const push = await open(PUSH);
    await until(() => held.length === 3);
    held.splice(0).forEach((answer) => answer());
    await until(() => push.received().includes('ok'));
    const later = await open(GET);
    await until(() => held.length === 1);
    held[0]?.();
    await until(() => later.received().includes('ok'));
  });

  it('leaves room for health and for other addresses, whatever one has under way', async () => {
    const held: (() => void)[] = [];
    const limits = { requests: 3, requestsPerAddress: 2, health: 3, healthPerAddress: 2 };
    await listen(limits, (_, response) => held.push(() => response.end('ok')));
    const refused = async (text: string, from?: string): Promise<void> => {
      const one = await open(text, from);
      await once(one.socket, 'close');
      expect(one.received()).toContain('too_busy');
    };
    for (const text of [GET, GET, HEALTH, HEALTH]) await open(text);
    await until(() => held.length === 4);
    await refused(GET);
    await refused(HEALTH);
    for (const text of [GET, HEALTH]) await open(text, '127.0.0.2');
    await until(() => held.length === 6);
    for (const text of [GET, HEALTH]) await refused(text, '127.0.0.3');
    await open(PUSH);
    await until(() => held.length === 7);
    held.splice(0).forEach((answer) => answer());
    await open(GET);
    await until(() => held.length === 1);
  });

  it('lets one address have more under way of what the token is wanted for', async () => {
    let handled = 0;
    await listen({ requests: 4, requestsPerAddress: 1 }, () => (handled += 1));
    await open(GET);
    for (const path of ['/api/a', '//admin/a']) await open(GET.replace('/a', path));
    await until(() => handled === 3);
  });

  it('counts a request as done when its client goes away', async () => {
    const handled: Promise<unknown>[] = [];
    await listen({ requests: 1 }, (_, response) => handled.push(once(response, 'close')));
    const first = await open(GET);
    await until(() => handled.length === 1);
    first.socket.destroy();
    await handled[0];
    const second = await open(GET);
    await until(() => handled.length === 2);
    expect(second.received()).toBe('');
  });

  it('bounds the bytes being received, of one address and in all; small bodies pass', async () => {
    let handled = 0;
    await listen({ receivingBytesPerAddress: 100_000, smallBody: 1000 }, () => (handled += 1));
    await open(upload(60_000));
    await until(() => handled === 1);
    const refused = await open(upload(60_000));
    await once(refused.socket, 'close');
    expect(refused.received()).toContain('503');
    const chunked = await open('POST /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n');
    await once(chunked.socket, 'close');
    await open(upload(1000));
    await until(() => handled === 2);
  });

  it('cuts connections of one address beyond the limit', async () => {
    await listen({ connectionsPerAddress: 3 }, (_, response) => response.end('ok'));
    const first = await Promise.all([open(), open(), open()]);
    const fourth = await open();
    await once(fourth.socket, 'close');
    expect(fourth.received()).toBe('');
    for (const { socket } of first) socket.write(GET);
    await until(() => first.every(({ received }) => received().includes('ok')));
    expect(first.map(({ socket }) => socket.destroyed)).toEqual([false, false, false]);
  });

  it.each([
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff::7', true],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['::ffff:192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
  ])('takes %s and %s for one sender: %s', async (one, other, same) => {
    const limits = { connectionsPerAddress: 2, requestsPerAddress: 1 };
    const held: (() => void)[] = [];
    await listen(limits, (_, response) => held.push(() => response.end('ok')));
    const first = connectFrom(one, GET);
    await until(() => held.length === 1);
    const second = connectFrom(other, GET);
    await until(() => held.length === 2 || second.received().includes('too_busy'));
    expect(held.length).toBe(same ? 1 : 2);
    const more = [connectFrom(one), connectFrom(other)];
    await until(() => more.some(({ ended }) => ended()) || !same);
    expect(more.some(({ ended }) => ended())).toBe(same);
    first.stream.destroy();
  });

  it.each([
    ['sends nothing', ''],
    ['does not end its headers', 'GET / HTTP/1.1\r\nhost: a\r\n'],
    ['does not send its body', upload(1_000_000)],
  ])('ends a connection that %s', async (_, text) => {
    await listen({ requestMs: 500, silenceMs: 1000 }, () => undefined);
    const started = performance.now();
    const { socket } = await open(text);
    await once(socket, 'close');
    expect(performance.now() - started).toBeLessThan(4000);
  });

  it('lets a call by the gateway wait for WeChat longer, and the next request on its connection not', async () => {
    await listen({ silenceMs: 200, callSilenceMs: 60_000 }, ({ url = '' }, response) => {
      if (url.startsWith('/proxy/')) setTimeout(() => response.end('late'), 600);
    });
    const { socket, received } = await open('GET /proxy/a HTTP/1.1\r\nhost: a\r\n\r\n');
    await until(() => received().includes('late'));
    socket.write(GET);
    await once(socket, 'close');
    expect(received().match(/HTTP\/1\.1 200/g)).toHaveLength(1);
  });
});
