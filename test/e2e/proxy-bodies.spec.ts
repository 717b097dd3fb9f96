import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { authorizeByEvent, authorizerHub, newAccount } from '../support/authorizer-world.js';
import { ADMIN_TOKEN } from '../support/fake-settings.js';
import type { TestApp } from '../support/test-app.js';
import { logLines } from '../support/test-log-lines.js';

const SEND = '/cgi-bin/message/custom/send';

describe('the proxy, with bodies of many lengths,', () => {
  let test: TestApp;
  let account: string;
  beforeAll(async () => {
    test = await authorizerHub({ database: 'sqlite' });
    account = newAccount(test);
    await authorizeByEvent(test, account);
  });
  afterAll(() => test?.close());
  beforeEach(() => {
    test.simulator.removeFaults();
    test.simulator.clearCalls();
  });

  const authorization = `Bearer ${ADMIN_TOKEN}`;
  const call = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${test.hub.url}/proxy/authorizers/${account}${path}`, {
      ...init,
      headers: { authorization },
    });

  it.each([100, 4095, 4097, 20_000, 60_000, 300_000])(
    'hands on a JSON answer with %i bytes of text whole',
    async (length) => {
      const errmsg = 'x'.repeat(length);
      test.simulator.addFault({ path: SEND, kind: 'errcode', errcode: 61000, errmsg });
      const answer = await call(SEND, { method: 'POST', body: '{}' });
      const whole = (await answer.json()) as { errcode: number; errmsg: string };
      // WeChat puts its rid behind; a whole text of the difference helps no one.
      expect([whole.errcode, whole.errmsg.startsWith(errmsg)]).toEqual([61000, true]);
    },
  );

  it.each([65_535, 65_536, 65_537, 70_000])(
    'uploads %i bytes and downloads the same',
    async (length) => {
      const file = randomBytes(length);
      const body = new FormData();
      body.set('media', new Blob([file], { type: 'application/octet-stream' }), 'a.bin');
      const upload = await call('/cgi-bin/media/upload?type=video', { method: 'POST', body });
      const { media_id } = (await upload.json()) as { media_id: string };
      const download = await call(`/cgi-bin/media/get?media_id=${media_id}`);
      expect(Buffer.from(await download.arrayBuffer()).equals(file)).toBe(true);
    },
  );

  it('logs no error of its own where a caller goes away in the middle of a body', async () => {
    const { hostname, port } = new URL(test.hub.url);
    const id = `abandoned-${account}`;
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /proxy/authorizers/${account}${SEND} HTTP/1.1\r\nHost: hub\r\nX-Request-Id: ${id}\r\n` +
        `Authorization: ${authorization}\r\nContent-Length: 1000\r\n\r\n{`,
    );
    await eventually('the call to be under way', async () =>
      (await call(SEND, { method: 'POST', body: '{}' })).ok ? true : undefined,
    );
    socket.destroy();
    await once(socket, 'close');
    expect((await call(SEND, { method: 'POST', body: '{}' })).status).toBe(200);
    expect(logLines('The stream was cut')).toEqual([]);
  });
});
