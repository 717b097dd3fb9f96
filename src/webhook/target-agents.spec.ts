import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  closeClients,
  nextEnd,
  rawTarget,
  targetCall,
  targetClient,
} from '../../test/support/target-calls.js';
import { WebhookReceiver } from '../../test/support/webhook-receiver.js';

let receiver: WebhookReceiver;

beforeEach(async () => {
  receiver = await WebhookReceiver.start();
});
afterEach(async () => {
  closeClients();
  await receiver.close();
});

describe('a connection that is kept', () => {
  const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

  it('is closed when it was not used for a while', () =>
    rawTarget(
      (socket) => socket.write(OK),
      async (url, server) => {
        const end = nextEnd(server);
        await targetClient(['127.0.0.1'], [], { idleMs: 200, max: 8 }).post(targetCall(url));
        const answered = performance.now();
        expect((await end) - answered).toBeGreaterThan(150);
      },
    ));

  it('is not closed while an answer is awaited, but afterwards', () =>
    rawTarget(
      (socket) => void setTimeout(() => socket.write(OK), 300),
      async (url, server) => {
        const end = nextEnd(server);
        const one = targetClient(['127.0.0.1'], [], { idleMs: 100, max: 8 });
        expect((await one.post(targetCall(url))).status).toBe(200);
        await end;
      },
    ));

  it('is closed when the target says something that it was not asked', () =>
    rawTarget(
      (socket) => {
        socket.write(OK);
        const timer = setInterval(() => socket.write(OK), 20);
        socket.on('close', () => clearInterval(timer));
      },
      async (url, server) => {
        const end = nextEnd(server);
        expect((await targetClient(['127.0.0.1']).post(targetCall(url))).status).toBe(200);
        await end;
      },
    ));

  it('is one of a few, however many targets there are', async () => {
    const one = targetClient(['127.0.0.1'], [], { idleMs: 10_000, max: 2 });
    await Promise.all(Array.from({ length: 6 }, () => one.post(targetCall(receiver.url))));
    await Promise.all(Array.from({ length: 6 }, () => one.post(targetCall(receiver.url))));
    const ports = receiver.received.map(({ port }) => port);
    expect(new Set(ports.slice(0, 6)).size).toBe(6);
    expect(ports.slice(6).filter((port) => ports.slice(0, 6).includes(port))).toHaveLength(2);
  });
});
