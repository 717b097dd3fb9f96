import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  closeClients,
  nextEnd,
  rawTarget,
  targetCall,
  targetClient,
} from '../../test/support/target-calls.js';
import { WebhookReceiver } from '../../test/support/webhook-receiver.js';
import { TargetCallError } from './target.client.js';

const MEBIBYTE = 1024 * 1024;

let receiver: WebhookReceiver;

beforeEach(async () => {
  receiver = await WebhookReceiver.start();
});
afterEach(async () => {
  closeClients();
  await receiver.close();
});

describe('an answer that is hostile', () => {
  const one = () => targetClient(['127.0.0.1']);

  it('is not waited for longer than is allowed: none at all', async () => {
    receiver.answer({ hang: true });
    await expect(one().post(targetCall(receiver.url, { timeoutMs: 100 }))).rejects.toThrow(
      'No answer within 100 ms',
    );
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
    await expect(one().post(targetCall(receiver.url, { timeoutMs: 150 }))).rejects.toThrow(
      TargetCallError,
    );
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
    await expect(one().post(targetCall(receiver.url))).rejects.toThrow(
      'The answer is larger than 256 KiB',
    );
    await receiver.until('the end of the connection', () => receiver.open === 0);
    expect(written).toBeLessThan(16 * MEBIBYTE);
  });

  it('of 256 KiB is read whole', async () => {
    receiver.answer({ body: 'x'.repeat(256 * 1024) });
    expect((await one().post(targetCall(receiver.url))).body).toHaveLength(256 * 1024);
  });

  it.each([
    ['2 MB', { body: 'x'.repeat(2 * MEBIBYTE) }],
    [
      'without an end',
      {
        raw: (response: ServerResponse) => {
          response.writeHead(200);
          response.write('x');
        },
      },
    ],
  ])('is cut where nobody reads it, its status counts: %s', async (_, answer) => {
    receiver.answer(answer);
    expect(await one().post(targetCall(receiver.url, { readBody: false }))).toMatchObject({
      status: 200,
      body: '',
    });
    await receiver.until('the end of the connection', () => receiver.open === 0);
  });

  it.each([
    ['headers of 64 KiB', `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(65_536)}\r\n\r\n`],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx'],
    ['nothing but an end', ''],
  ])('is a failure: %s', async (_, bytes) => {
    await rawTarget(
      (socket) => socket.end(bytes),
      async (url) => {
        await expect(one().post(targetCall(url))).rejects.toThrow(TargetCallError);
      },
    );
  });

  it.each([
    ['of 100', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['of 103', 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'],
    ['that are empty lines', '\r\n'],
  ])('is not waited for behind endless others: %s', (_, bytes) =>
    rawTarget(
      (socket) => {
        const more = (): void => {
          while (!socket.destroyed && socket.write(bytes.repeat(2000)));
        };
        socket.on('drain', more);
        more();
      },
      async (url) => {
        const started = performance.now();
        const failure = one().post(targetCall(url, { timeoutMs: 5000 }));
        await expect(failure).rejects.toThrow(/informational answers|before the status/);
        expect(performance.now() - started).toBeLessThan(2000);
      },
    ),
  );

  it('may have a few informational ones before it', () =>
    rawTarget(
      (socket) => {
        const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'.repeat(10);
        socket.write(`${hints}HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx`);
      },
      async (url) => {
        expect(await one().post(targetCall(url))).toMatchObject({ status: 200, body: 'x' });
      },
    ));

  it.each([
    ['another protocol', 'Upgrade: websocket\r\nConnection: Upgrade\r\n'],
    ['no protocol', ''],
  ])('of 101 is a failure at once: %s', (_, headers) =>
    rawTarget(
      (socket) => socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers}\r\n`),
      async (url, server) => {
        const end = nextEnd(server);
        const failure = one().post(targetCall(url, { timeoutMs: 4000 }));
        await expect(failure).rejects.toThrow('HTTP 101');
        await end;
      },
    ),
  );

  it('that ends before its length is a failure', async () => {
    receiver.answer({
      raw: (response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('half of it', () => response.destroy());
      },
    });
    await expect(one().post(targetCall(receiver.url))).rejects.toThrow(
      'ended before it was complete',
    );
  });

  it('is not unpacked', async () => {
    receiver.answer({ headers: { 'content-encoding': 'gzip' }, body: 'not gzip at all' });
    expect((await one().post(targetCall(receiver.url))).body).toBe('not gzip at all');
    expect(receiver.received[0]?.headers['accept-encoding']).toBe('identity');
  });
});
