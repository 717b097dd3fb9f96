import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { mysqlOnly } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { HubProcess } from '../support/hub-process.js';
import { Burst, burstAgent, tally } from '../support/process-burst.js';
import { eventsUrlOf, EXCHANGE_PATH, ProcessFleet, since } from '../support/process-fleet.js';

const { appid } = COMPONENT;
const ROUNDS = 20;
const READERS = 200;
const REPORTS = 500;
const REPORT_ROUNDS = 5;
const ROTATED_AES_KEY = 'fakeRotatedKey0123456789abcdefghijklmnopqrs';
const TOKEN_PATH = `/api/components/${appid}/access-token`;

describe.each(mysqlOnly())('4 hub processes on one database on %s', (kind) => {
  const agent = burstAgent();
  let fleet: ProcessFleet;
  let base: string[];

  beforeAll(async () => {
    fleet = await ProcessFleet.start(kind, 4);
    base = fleet.hubs.map(({ hub }) => hub.url);
    await fleet.prime(appid, fleet.hub(0));
  }, 60_000);
  afterAll(async () => {
    agent.destroy();
    await fleet.close();
  });

  it('make one exchange for 800 readers of an expired token, 20 times over', async () => {
    const requests = base.flatMap((url) =>
      Array.from({ length: READERS }, () => ({ url: url + TOKEN_PATH })),
    );
    const { generation } = await fleet.row(appid);
    const started = performance.now();
    for (let round = 0; round < ROUNDS; round += 1) {
      await holdNextExchange(fleet);
      fleet.simulator.expireTokens(appid);
      await fleet.age(appid, 'expired');
      await untilAllHubsSeeItExpired(fleet);
      await expectOneExchange(fleet, new Burst(requests, agent));
    }
    expect((await fleet.row(appid)).generation).toBe(generation + ROUNDS);
    console.log(
      `expired token: ${ROUNDS} rounds x 4 processes x ${READERS} readers, 1 exchange each, ` +
        `${Math.round(since(started) / ROUNDS)} ms per round`,
    );
  }, 60_000);

  it('make one exchange for 500 reports of one dead token, 5 times over', async () => {
    const { generation } = await fleet.row(appid);
    const started = performance.now();
    for (let round = 0; round < REPORT_ROUNDS; round += 1) {
      const dead = fleet.simulator.currentToken(appid)?.value;
      await allowForcedRefresh(fleet);
      await holdNextExchange(fleet);
      fleet.simulator.expireTokens(appid, { errcode: 40001 });
      const requests = Array.from({ length: REPORTS }, (_, index) => ({
        url: `${base[index % base.length]}${TOKEN_PATH}/invalidate`,
        body: { token: dead },
      }));
      await expectOneExchange(fleet, new Burst(requests, agent));
    }
    expect((await fleet.row(appid)).generation).toBe(generation + REPORT_ROUNDS);
    console.log(
      `dead token: ${REPORT_ROUNDS} rounds x ${REPORTS} reports to 4 processes, 1 exchange each, ` +
        `${Math.round(since(started) / REPORT_ROUNDS)} ms per round`,
    );
  });

  it('hand out a token refreshed on one host on every other host within 5 s', async () => {
    const others = fleet.hubs.slice(1);
    await allowForcedRefresh(fleet);
    // Copies as young as they can be: those are kept longest.
    await Promise.all(others.map(({ hub }) => hub.token()));
    const started = performance.now();
    expect((await fleet.hub(0).hub.post(`/admin/tokens/${appid}/refresh`)).status).toBe(200);
    const fresh = fleet.simulator.currentToken(appid)?.value;
    const seenAfter = await Promise.all(
      others.map(async ({ hub }, index) => {
        // The last host is read for the first time when the 5 s are over.
        if (index === others.length - 1) {
          await new Promise((resolve) => setTimeout(resolve, 5000 - since(started)));
          expect((await hub.accessToken()).json.component_access_token).toBe(fresh);
          return 5000;
        }
        return eventually('the new token', async () => {
          const { json } = await hub.accessToken();
          return json.component_access_token === fresh ? since(started) : undefined;
        });
      }),
    );
    console.log(`a refresh on one host was read on the others after ${seenAfter.join(', ')} ms`);
    expect(Math.max(...seenAfter)).toBeLessThanOrEqual(5000);
  });

  it('take over a platform added, rotated or disabled on one host within 10 s', async () => {
    const [first, ...others] = fleet.hubs as [HubProcess, ...HubProcess[]];
    const { appid: one } = await fleet.addComponent(first);
    const added = await eachLive(others, async ({ hub }) => {
      return (await hub.get(`/admin/components/${one}`)).status === 200;
    });
    const { appid: two } = await fleet.addComponent(first);
    await fleet.prime(two, first);

    const rotation = { token: 'fakeRotatedToken1', encodingAesKey: ROTATED_AES_KEY };
    await Promise.all([change(first, one, rotation), change(first, two, { enabled: false })]);
    fleet.simulator.updateComponent(one, rotation);
    const [rotated, disabled] = await Promise.all([
      eachLive(others, async (host) => {
        const push = fleet.simulator.buildTicketPush(one);
        const url = eventsUrlOf(host, one);
        return (await fleet.simulator.push(one, push, { url })).body === 'success';
      }),
      eachLive(others, async ({ hub }) => {
        return (await hub.accessToken(two)).json.error?.code === 'component_disabled';
      }),
    ]);
    console.log(
      `changed on one host, live on the others: added after ${added.join(', ')} ms, keys ` +
        `rotated after ${rotated.join(', ')} ms, disabled after ${disabled.join(', ')} ms`,
    );
    expect(Math.max(...added, ...rotated, ...disabled)).toBeLessThan(10_000);
  });
});

async function change(through: HubProcess, component: string, values: object): Promise<void> {
  const changed = await through.hub.patch(`/admin/components/${component}`, values);
  expect(changed.status).toBe(200);
}

/** Milliseconds until each host behaves as asked. */
function eachLive(
  hosts: HubProcess[],
  live: (host: HubProcess) => Promise<boolean>,
): Promise<number[]> {
  const started = performance.now();
  return Promise.all(
    hosts.map((host) =>
      eventually('the change', async () => ((await live(host)) ? since(started) : undefined)),
    ),
  );
}

/** The exchange waits at WeChat, so that every caller of the round comes while it runs. */
async function holdNextExchange(fleet: ProcessFleet): Promise<void> {
  fleet.simulator.clearCalls();
  fleet.simulator.addFault({ path: EXCHANGE_PATH, kind: 'hang', times: 1 });
}

/** Inspection reads the row, so a hub that shows the expiry has no older copy in memory. */
async function untilAllHubsSeeItExpired(fleet: ProcessFleet): Promise<void> {
  await Promise.all(
    fleet.hubs.map(({ hub }) =>
      eventually(
        'the expiry',
        async () => (await hub.token()).json.remainingSeconds === 0 || undefined,
      ),
    ),
  );
}

/** Moves the last forced refresh out of the time for which it forbids another. */
async function allowForcedRefresh(fleet: ProcessFleet): Promise<void> {
  await fleet.sql.execute(
    'UPDATE component_access_token SET forced_at = forced_at - 30000 WHERE component_appid = ?',
    [appid],
  );
}

async function expectOneExchange(fleet: ProcessFleet, burst: Burst): Promise<void> {
  await Promise.all([burst.sent, fleet.simulator.waitForCall(EXCHANGE_PATH)]);
  expect(burst.settled, 'answers before WeChat gave a token').toBe(0);
  fleet.simulator.release(EXCHANGE_PATH);
  const answers = await burst.answers;
  expect(tally(answers)).toEqual({ 200: answers.length });
  const fresh = fleet.simulator.currentToken(appid)?.value;
  expect(new Set(answers.map(({ token }) => token))).toEqual(new Set([fresh]));
  expect(await fleet.accepts(fresh ?? '')).toBe(true);
  expect(fleet.exchanges()).toBe(1);
}
