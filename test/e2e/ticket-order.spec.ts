import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import { nowSeconds, pushOf, pushXml } from '../support/callback-pushes.js';
import { expectRefusal, expectSuccess } from '../support/callback-state.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { logLines } from '../support/test-log-lines.js';
import { addPlatform, MINUTE, prime, SECOND, secondHub, sql } from '../support/token-world.js';

const { appid } = COMPONENT;
const HISTORY = `/admin/tickets/${appid}/history`;

describe.each(databaseKinds())('the order of tickets on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
  });
  afterEach(() => test.close());

  it.each([
    [3599, true],
    [3600, true],
    [3601, false],
    [86_400, false],
    [900_000_000_000, false],
  ])('is kept from a push made %d s ahead of the clock: accepted %s', async (ahead, accepted) => {
    test.clock.advance(SECOND - (test.clock.now() % SECOND));
    const { ticket } = await test.simulator.pushTicket(appid);
    const built = test.simulator.buildTicketPush(appid, { createTime: nowSeconds(test) + ahead });
    const answer = await test.hub.push(built);
    if (accepted) expectSuccess(answer);
    else expectRefusal(answer, { status: 400, code: 'field_invalid' });
    const kept = (await test.hub.ticket()).json.componentVerifyTicket;
    expect(kept).toBe(accepted ? built.ticket : ticket);
    expect((await test.hub.get(HISTORY)).json.pushes).toHaveLength(accepted ? 2 : 1);
  });

  it('is that of arrival in the history, every push once, also when the clock steps back', async () => {
    const sent: number[] = [];
    for (let index = 0; index < 9; index += 1) {
      test.clock.advance(index % 3 === 2 ? -5 * MINUTE : MINUTE);
      const createTime = nowSeconds(test) - index;
      sent.unshift(createTime);
      await test.simulator.pushTicket(appid, { createTime });
    }
    const seen: number[] = [];
    let before = '';
    for (let pages = 0; pages < 9; pages += 1) {
      const { pushes, next } = (await test.hub.get(`${HISTORY}?limit=2${before}`)).json;
      seen.push(...pushes.map(({ createTime }: { createTime: number }) => createTime));
      if (next === null) break;
      before = `&before=${next}`;
    }
    expect(seen).toEqual(sent);
  });

  it('leads past pushes without a ticket, and unreadable ones, to one that WeChat takes', async () => {
    await prime(test);
    const { ticket } = await test.simulator.pushTicket(appid);
    test.clock.advance(MINUTE);
    const { built, ...changes } = pushOf(
      test,
      pushXml(test, {
        InfoType: '<![CDATA[component_verify_ticket ]]>',
        ComponentVerifyTicket: undefined,
      }),
    );
    expectSuccess(await test.hub.push(built, changes));
    await test.simulator.pushTicket(appid);
    await sql(test).query('UPDATE callback_event SET payload = ? WHERE create_time = ?', [
      'enc:v1:t1:AAAA',
      nowSeconds(test),
    ]);
    test.clock.advance(MINUTE);
    await test.simulator.pushTicket(appid, { issued: false });
    const answer = await test.hub.post(`/admin/tokens/${appid}/refresh`);
    expect(answer).toMatchObject({ status: 200, json: { generation: 2, attempts: 0 } });
    expect(ticket).toMatch(/^ticket@@@/);
  });

  it('begins with a line in the log, once for a platform', async () => {
    const { appid: added } = await addPlatform(test);
    const lines = (): unknown[] =>
      logLines(added).filter(({ message }) => message === 'First ticket arrived');
    expect(lines()).toEqual([]);
    await Promise.all([1, 2, 3].map(() => test.simulator.pushTicket(added)));
    await test.simulator.pushTicket(added);
    const other = await secondHub(test);
    try {
      expectSuccess(await other.hub.push(test.simulator.buildTicketPush(added)));
    } finally {
      await other.close();
    }
    expect(lines()).toEqual([expect.objectContaining({ level: 'info', componentAppId: added })]);
  });
});
