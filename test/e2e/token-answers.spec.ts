import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const { appid } = COMPONENT;
const TOKEN = { component_access_token: 'fake-token-with-an-odd-errcode', expires_in: 7200 };

describe.each(databaseKinds())('an answer of WeChat to a hub on %s', (kind) => {
  let test: TestApp;
  let wechat: Server;
  let answer: unknown;
  beforeAll(async () => {
    wechat = createServer((_, response) => response.end(JSON.stringify(answer)));
    await once(wechat.listen(0, '127.0.0.1'), 'listening');
    const { port } = wechat.address() as AddressInfo;
    const env = { WECHAT_API_BASE_URL: `http://127.0.0.1:${port}` };
    test = await createTestApp({ database: kind, env });
    answer = { errcode: 61004, errmsg: 'not yet' };
    await test.hub.push(test.simulator.buildTicketPush(appid));
  });
  afterAll(async () => {
    await test.close();
    wechat.close();
  });

  const refresh = () => {
    // A manual refresh is made once in 10 s.
    test.clock.advance(10_000);
    return test.hub.post(`/admin/tokens/${appid}/refresh`);
  };

  it.each([['abc'], [''], ['4e4'], ['0x9c41'], [40001.5], [true], [[40001]], [{}], [false]])(
    'with the errcode %j is garbage',
    async (errcode) => {
      answer = { errcode, errmsg: 'odd', ...TOKEN };
      const { status, json } = await refresh();
      expect([status, json.error.kind]).toEqual([502, 'garbage']);
      expect(json.error).not.toHaveProperty('errcode');
      expect((await test.hub.token()).json.lastError).toMatchObject({ kind: 'garbage' });
    },
  );

  it.each([[61004], ['61004'], [-1], ['-1']])(
    'with the errcode %j is a refusal',
    async (errcode) => {
      answer = { errcode, errmsg: 'odd', ...TOKEN };
      const { json } = await refresh();
      expect(json.error).toMatchObject({ errcode: Number(errcode) });
    },
  );

  it.each([[0], ['0'], [null], [undefined]])('with the errcode %j is taken', async (errcode) => {
    answer = { errcode, ...TOKEN };
    expect((await refresh()).status).toBe(200);
  });
});
