import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { PushListener } from './push-listener.js';

const FRAMEWORK = (): never => {
  throw new Error('The framework is not asked');
};

it('works on the pushes of one turn of the event loop when all of them are read', async () => {
  const seen: string[] = [];
  const listener = new PushListener(() => '127.0.0.1');
  listener.open({
    stopped: () => false,
    receive: async ({ body }) => {
      seen.push(`work on ${String(body)}`);
      return 'success';
    },
  });
  const answers = ['a', 'b'].map((body) => {
    const request = new IncomingMessage(new Socket());
    const headers = { host: 'hub', 'content-length': String(body.length) };
    Object.assign(request, { method: 'POST', url: '/callback/wx1/events?nonce=1', headers });
    const response = new ServerResponse(request);
    listener.before(FRAMEWORK)(request, response);
    request.on('end', () => seen.push(`read ${body}`));
    request.push(body);
    request.push(null);
    return response;
  });
  await expect
    .poll(() =>
      answers.every(({ statusCode, writableEnded }) => writableEnded && statusCode === 200),
    )
    .toBe(true);
  expect(seen).toEqual(['read a', 'read b', 'work on a', 'work on b']);
});
