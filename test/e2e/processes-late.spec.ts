import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { mysqlOnly } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { HubProcess } from '../support/hub-process.js';
import { Burst, burstAgent, tally } from '../support/process-burst.js';
import { EXCHANGE_PATH, logLine, ProcessFleet } from '../support/process-fleet.js';
import { TcpGate } from '../support/process-gate.js';

const WAITING_READERS = 5;
/** A host hands out what another has got within this time. */
const NEWS_LIMIT_MS = 5000;
/** Time for a test to set the gate before WeChat's answer comes. */
const ANSWER_DELAY_MS = 1500;

/** Both hosts fall silent at once, so that one lease's time passes for both. */
describe.each(mysqlOnly())('a host that comes back after its lease has ended on %s', (kind) => {
  const agent = burstAgent();
  let fleet: ProcessFleet;
  let gate: TcpGate;
  let stopped: HubProcess;
  let delayed: HubProcess;
  let other: HubProcess;
  let delayedAppId: string;
  let waiting: Burst;
  let lostAnswer: string;
  let lostSave: string;

  beforeAll(async () => {
    fleet = await ProcessFleet.start(kind, 2);
    [stopped, other] = fleet.hubs as [HubProcess, HubProcess];
    gate = await TcpGate.open(Number(new URL(fleet.database.url).port));
    delayed = await fleet.addHub({ DATABASE_URL: gate.through(fleet.database.url) });
    delayedAppId = (await fleet.addComponent(other)).appid;
    await fleet.prime(COMPONENT.appid, other);
    await fleet.prime(delayedAppId, other);
    fleet.simulator.clearCalls();
    waiting = await stopDuringExchange(fleet, stopped, () => readers(stopped));
    lostAnswer = newestOf(fleet, COMPONENT.appid);
    await closeGateBeforeSave(fleet, delayed, delayedAppId, gate);
    lostSave = newestOf(fleet, delayedAppId);
  }, 60_000);
  afterAll(async () => {
    agent.destroy();
    await fleet.close();
    await gate.destroy();
  });

  const readers = ({ hub }: HubProcess): Burst => {
    const url = `${hub.url}/api/components/${COMPONENT.appid}/access-token`;
    return new Burst(
      Array.from({ length: WAITING_READERS }, () => ({ url })),
      agent,
    );
  };

  it('has no effect with a late answer, and gives its waiting readers the new token', async () => {
    const { appid } = COMPONENT;
    await untilNewTokenOn(other, appid);
    // Its time is up and the answer is there, both at once: whichever it sees first.
    const ended = Promise.race([
      logLine(stopped, 'A failed refresh is void'),
      logLine(stopped, 'A late token was dropped'),
    ]);
    fleet.simulator.release(EXCHANGE_PATH);
    stopped.child.kill('SIGCONT');
    await ended;
    await expectNewestToken(fleet, appid, lostAnswer, [stopped, other]);
    const answers = await waiting.answers;
    // One whose query was under way when the host froze may hear that the database was silent.
    const outcomes = tally(answers);
    const { 200: given = 0, 503: refused = 0 } = outcomes;
    expect(given + refused, JSON.stringify(outcomes)).toBe(WAITING_READERS);
    expect(given).toBeGreaterThan(0);
    expect(answers.map(({ token }) => token)).not.toContain(lostAnswer);
  });

  it('has no effect with a late save', async () => {
    await untilNewTokenOn(other, delayedAppId);
    const ended = logLine(delayed, 'A late token was dropped');
    gate.reopen();
    await ended;
    await expectNewestToken(fleet, delayedAppId, lostSave, [stopped, delayed, other]);
  });
});

/** Freezes a host while WeChat's answer, with a token already issued, is on its way to it. */
async function stopDuringExchange(
  fleet: ProcessFleet,
  host: HubProcess,
  read: () => Burst,
): Promise<Burst> {
  const { appid } = COMPONENT;
  fleet.simulator.addFault({ path: EXCHANGE_PATH, kind: 'hang', times: 1, afterEffect: true });
  // Begun before the token is due, so that no other host begins it.
  host.hub.post(`/admin/tokens/${appid}/refresh`).catch(() => undefined);
  await fleet.simulator.waitForCall(EXCHANGE_PATH);
  await fleet.age(appid, 'expired');
  await host.hub.token(appid);
  const burst = read();
  await burst.sent;
  // What the host has not begun to read when it freezes is late by its own limits when it wakes.
  for (let round = 0; round < 3; round += 1) await host.hub.get('/health/live');
  host.child.kill('SIGSTOP');
  return burst;
}

/** Cuts a host off its database when it has the lease and before it can save the token. */
async function closeGateBeforeSave(
  fleet: ProcessFleet,
  { hub }: HubProcess,
  appid: string,
  gate: TcpGate,
): Promise<void> {
  fleet.simulator.addFault({
    path: EXCHANGE_PATH,
    kind: 'delay',
    delayMs: ANSWER_DELAY_MS,
    times: 1,
  });
  hub.post(`/admin/tokens/${appid}/refresh`).catch(() => undefined);
  await fleet.simulator.waitForCall(EXCHANGE_PATH, { count: 2 });
  const saving = gate.closeAt('UPDATE `component_access_token`');
  await fleet.age(appid, 'due');
  await saving;
}

/** What WeChat issued last. */
function newestOf({ simulator }: ProcessFleet, appid: string): string {
  return simulator.currentToken(appid)?.value ?? 'none';
}

/** Reads on another host until it has got a token, the lease being over. */
async function untilNewTokenOn({ hub }: HubProcess, appid: string): Promise<void> {
  await eventually('the other host to take over', async () => {
    await hub.accessToken(appid);
    return (await hub.token(appid)).json.generation === 2 || undefined;
  });
}

/** Every host hands out what WeChat issued last, and no host ever the token that came late. */
async function expectNewestToken(
  fleet: ProcessFleet,
  appid: string,
  late: string,
  hosts: HubProcess[],
): Promise<void> {
  for (const { hub } of hosts) {
    const read = async (): Promise<true | undefined> => {
      const { json } = await hub.accessToken(appid);
      expect(json.component_access_token).not.toBe(late);
      return json.component_access_token === newestOf(fleet, appid) || undefined;
    };
    await eventually('the newest token on every host', read, NEWS_LIMIT_MS);
  }
  // What came late makes the token due once more; that exchange may still be under way.
  const settled = await eventually('the lease to be given back', async () => {
    const row = await fleet.row(appid);
    return row.leaseOwner === null ? row : undefined;
  });
  const { generation, ...rest } = settled;
  expect(generation).toBeGreaterThanOrEqual(2);
  expect(rest).toEqual({ leaseOwner: null, attempts: 0, lastError: null });
}
