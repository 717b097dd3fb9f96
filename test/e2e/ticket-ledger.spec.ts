import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ticketXml } from '../../simulator/push-builder.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { addPlatform, HOUR, MINUTE, SECOND } from '../support/token-world.js';

const { appid } = COMPONENT;
const HISTORY = `/admin/tickets/${appid}/history`;

interface Line {
  id: string;
  createTime: number;
  receivedAt: string;
  ageAtArrivalSeconds: number;
  keyUsed: string;
  sourceAddress: string;
}

describe.each(databaseKinds())('the ticket ledger on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
  });
  afterEach(() => test.close());

  const page = async (query = ''): Promise<{ pushes: Line[]; next: string | null }> =>
    (await test.hub.get(HISTORY + query)).json;

  it('has a line for every push: when, how old, under which key, from where', async () => {
    test.clock.advance(SECOND - (test.clock.now() % SECOND) + 250);
    const sent = Math.floor(test.clock.now() / SECOND) - 42;
    await test.simulator.pushTicket(appid, { createTime: sent });
    const { pushes, next } = await page();
    expect(pushes).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        createTime: sent,
        receivedAt: new Date(test.clock.now()).toISOString(),
        ageAtArrivalSeconds: 42.25,
        keyUsed: 'current',
        sourceAddress: '127.0.0.1',
      },
    ]);
    expect(next).toBeNull();
  });

  it('tells a push under the previous keys from one under the current ones', async () => {
    await test.simulator.pushTicket(appid);
    test.clock.advance(MINUTE);
    const token = 'aNewCallbackToken';
    expect((await test.hub.patch(`/admin/components/${appid}`, { token })).status).toBe(200);
    await test.simulator.pushTicket(appid);
    test.clock.advance(MINUTE);
    test.simulator.updateComponent(appid, { token });
    await test.simulator.pushTicket(appid);
    const { pushes } = await page();
    expect(pushes.map(({ keyUsed }) => keyUsed)).toEqual(['current', 'previous', 'current']);
  });

  it('is read page by page, newest first, without a gap or a repetition', async () => {
    const base = Math.floor(test.clock.now() / SECOND);
    for (let index = 0; index < 7; index += 1) {
      // Two of them within the same millisecond.
      if (index !== 3) test.clock.advance(MINUTE);
      await test.simulator.pushTicket(appid, { createTime: base + index });
    }
    const seen: number[] = [];
    let before = '';
    for (let pages = 0; pages < 4; pages += 1) {
      const { pushes, next } = await page(`?limit=2${before}`);
      seen.push(...pushes.map(({ createTime }) => createTime - base));
      if (next === null) break;
      before = `&before=${next}`;
    }
    expect(seen).toEqual([6, 5, 4, 3, 2, 1, 0]);
    expect((await page('?limit=7')).pushes).toHaveLength(7);
    expect((await page('?limit=8')).next).toBeNull();
  });

  it.each(['limit=0', 'limit=501', 'limit=x', `before=${'a'.repeat(37)}`])(
    'refuses the query %s',
    async (query) => {
      expect(await test.hub.get(`${HISTORY}?${query}`)).toMatchObject({
        status: 400,
        json: { error: { code: 'bad_request' } },
      });
    },
  );

  it('lists ticket pushes of one platform, and nothing else', async () => {
    const other = await addPlatform(test);
    await test.simulator.pushTicket(other.appid);
    await test.simulator.pushTicket(appid);
    const now = Math.floor(test.clock.now() / SECOND);
    const unauthorized = ticketXml(appid, now, 'not-a-ticket', 'unauthorized');
    const built = test.simulator.buildPush(appid, unauthorized);
    expect((await test.simulator.push(appid, built)).body).toBe('success');
    expect((await page()).pushes).toHaveLength(1);
    const others = await test.hub.get(`/admin/tickets/${other.appid}/history`);
    expect(others.json.pushes).toHaveLength(1);
    expect((await test.hub.get('/admin/tickets/wx00000000000nobody/history')).status).toBe(404);
  });

  it('holds no ticket, and the views mask it unless it is to be revealed', async () => {
    const { ticket } = await test.simulator.pushTicket(appid);
    for (const path of [HISTORY, '/admin/tickets', `/admin/tickets/${appid}`]) {
      const { status, text } = await test.hub.get(path);
      expect(status).toBe(200);
      expect(text).not.toContain(ticket);
    }
    const masked = await test.hub.ticket(appid, false);
    expect(masked.json.componentVerifyTicket).toBe(`****${ticket?.slice(-4)}`);
    for (const path of ['/admin/tickets?reveal=true', `/admin/tickets/${appid}?reveal=true`]) {
      expect((await test.hub.get(path)).text).toContain(ticket);
    }
  });
});

describe.each(databaseKinds())('the age of a ticket on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
  });
  afterEach(() => test.close());

  const health = async (): Promise<[string, string]> => {
    const { json } = await test.hub.get('/health/ready');
    return [json.status, json.components[0].ticket];
  };

  it('makes it stale after 35 minutes, useless after 12 hours, and a new one repairs it', async () => {
    expect(await test.hub.ticket()).toMatchObject({
      status: 404,
      json: { error: { code: 'ticket_unknown' } },
    });
    expect(await health()).toEqual(['degraded', 'down']);
    test.clock.advance(SECOND - (test.clock.now() % SECOND));
    await test.simulator.pushTicket(appid);
    await test.hub.accessToken();
    const { createTime, expiresAt } = (await test.hub.ticket()).json;
    expect(Date.parse(expiresAt)).toBe(createTime * SECOND + 12 * HOUR);
    const steps: [number, boolean, number, string][] = [
      [0, false, 0, 'up'],
      [35 * MINUTE, false, 2100, 'up'],
      [SECOND, true, 2101, 'degraded'],
      [11 * HOUR, true, 41_701, 'degraded'],
      [HOUR, true, 45_301, 'down'],
    ];
    for (const [advance, stale, ageSeconds, ticket] of steps) {
      test.clock.advance(advance);
      expect((await test.hub.ticket()).json).toMatchObject({ stale, ageSeconds });
      expect((await health())[1]).toBe(ticket);
      expect((await health())[0]).toBe(ticket === 'up' ? 'up' : 'degraded');
    }
    await test.simulator.pushTicket(appid);
    await test.hub.accessToken();
    expect((await test.hub.ticket()).json).toMatchObject({ stale: false, ageSeconds: 0 });
    expect(await health()).toEqual(['up', 'up']);
  });
});
