import type { Connection, RowDataPacket } from 'mysql2/promise';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { mysqlOnly } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { HubProcess } from '../support/hub-process.js';
import { eventsUrlOf, EXCHANGE_PATH, ProcessFleet, since } from '../support/process-fleet.js';

const PAUSE_MS = 200;
const MAX_TRIES = 150;

/** A ticket that was answered `success`, and how often it had to be sent for that. */
interface DeliveredTicket {
  ticket: string;
  createTime: number;
  tries: number;
}

/** How tickets are sent. */
interface TicketStream {
  count: number;
  /** CreateTime of the first; each later one is a second younger. */
  firstCreateTime: number;
  intervalMs: number;
  /** The URLs to push to, in turn, as a load balancer does that has not noticed a failure. */
  urls: () => string[];
}

/**
 * Pushes tickets as WeChat does, one after another without waiting for the answers, each again
 * until it is answered `success`. Resolves when all are.
 */
async function deliverTickets(
  simulator: WechatSimulator,
  appid: string,
  stream: TicketStream,
): Promise<DeliveredTicket[]> {
  const deliveries: Promise<DeliveredTicket>[] = [];
  for (let index = 0; index < stream.count; index += 1) {
    deliveries.push(deliver(simulator, appid, stream, index));
    await delay(stream.intervalMs);
  }
  return Promise.all(deliveries);
}

async function deliver(
  simulator: WechatSimulator,
  appid: string,
  { firstCreateTime, urls }: TicketStream,
  index: number,
): Promise<DeliveredTicket> {
  const createTime = firstCreateTime + index;
  const push = simulator.buildTicketPush(appid, { createTime });
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const targets = urls();
    const url = targets[(index + tries) % targets.length];
    const { status, body } = await simulator.push(appid, push, { url });
    if (status === 200 && body === 'success') {
      return { ticket: push.ticket ?? '', createTime, tries };
    }
    await delay(PAUSE_MS);
  }
  throw new Error(`A ticket was refused ${MAX_TRIES} times`);
}

const TICKETS = 200;
const TICKET_INTERVAL_MS = 40;
const READ_INTERVAL_MS = 100;
const RECOVERY_LIMIT_MS = 15_000;
/** Time for a test to lock the row before WeChat's answer comes. */
const ANSWER_DELAY_MS = 1000;

type Point = 'before WeChat did anything' | 'after WeChat issued it' | 'before it was saved';

/** One platform whose exchange is cut off at a point by the crash, and what became of it. */
interface Case {
  point: Point;
  old: 'due' | 'expired';
  appid: string;
  oldToken: string;
  /** When the victim had its lease, by `performance.now()`. */
  leasedAt: number;
  /** When another host gave a new token. */
  recoveredAt: number;
  /** What the other host answered until then: statuses and whether WeChat took the token. */
  reads: { status: number; accepted: boolean }[];
}

const POINTS: Point[] = [
  'before WeChat did anything',
  'after WeChat issued it',
  'before it was saved',
];
const CASES = POINTS.flatMap((point): [Point, Case['old'], string][] => [
  [point, 'due', 'the old one, still valid, meanwhile'],
  [point, 'expired', 'no answer but a working token'],
]);

/** All points at once: one crash, one platform for each point and state of its old token. */
describe.each(mysqlOnly())('a host killed with kill -9 during an exchange on %s', (kind) => {
  let fleet: ProcessFleet;
  let cases: Case[];
  let delivered: DeliveredTicket[];
  let firstCreateTime: number;
  let killed: number;

  beforeAll(async () => {
    fleet = await ProcessFleet.start(kind, 2);
    const [victim, survivor] = fleet.hubs as [HubProcess, HubProcess];
    cases = await prepare(fleet, survivor);
    const saving = await fleet.connect();
    for (const one of cases) await cutOffAt(fleet, victim, saving, one);
    await untilWaiting(fleet, 'UPDATE%component_access_token%');
    // What was done to the rows by hand is no news that its memory could have had.
    await Promise.all(cases.map(({ appid }) => survivor.hub.token(appid)));

    let alive = [victim, survivor];
    // Later than what the simulator pushes of its own accord.
    firstCreateTime = Math.floor(Date.now() / 1000) + 60;
    const tickets = deliverTickets(fleet.simulator, COMPONENT.appid, {
      count: TICKETS,
      firstCreateTime,
      intervalMs: TICKET_INTERVAL_MS,
      urls: () => alive.map((host) => eventsUrlOf(host, COMPONENT.appid)),
    });
    await fleet.simulator.waitForPush(COMPONENT.appid, { count: 8 });
    // Both hosts have taken pushes that are not yet durable when the one is killed.
    await lockTicket(saving);
    await untilWaiting(fleet, 'INSERT INTO tb_ComponentVerifyTicket%');
    killed = performance.now();
    await victim.kill();
    await cutOffSaves(fleet);
    saving.destroy();
    const recovered = Promise.all(cases.map((one) => readUntilNew(fleet, survivor, one, killed)));
    alive = [await fleet.addHub(), survivor];
    [delivered] = await Promise.all([tickets, recovered]);
  }, 60_000);
  afterAll(() => fleet.close());

  it.each(CASES)('%s, old token %s: a new one within 15 s, %s', (point, old) => {
    const { leasedAt, recoveredAt, reads } = caseOf(cases, point, old);
    console.log(
      `killed ${point}, old token ${old}: new token ${Math.round(recoveredAt - killed)} ms after ` +
        `the crash, ${Math.round(recoveredAt - leasedAt)} ms after the lease, ${reads.length} reads`,
    );
    expect(recoveredAt - killed).toBeLessThan(RECOVERY_LIMIT_MS);
    expect(reads.filter(({ status, accepted }) => status !== 200 || !accepted)).toEqual([]);
    // While the old token is valid nobody waits for the new one.
    if (old === 'due') expect(reads.length).toBeGreaterThan(20);
  });

  it('costs one further exchange for each token and leaves no lease behind', async () => {
    expect(fleet.exchanges()).toBe(2 * cases.length);
    const rows = await Promise.all(cases.map(({ appid }) => fleet.row(appid)));
    expect(rows).toEqual(
      cases.map(() => ({ generation: 2, leaseOwner: null, attempts: 0, lastError: null })),
    );
  });

  it('loses none of 200 tickets that were answered success during it', async () => {
    const repeated = delivered.filter(({ tries }) => tries > 1).length;
    console.log(`${delivered.length} tickets delivered during a crash, ${repeated} sent again`);
    expect(delivered).toHaveLength(TICKETS);
    expect(repeated).toBeGreaterThan(0);
    const { hub } = fleet.hub(2);
    const history = await hub.get(`/admin/tickets/${COMPONENT.appid}/history?limit=500`);
    const kept = (history.json.pushes as { createTime: number }[]).map((push) => push.createTime);
    // Each once, although some were sent again; what came before is not counted.
    const sent = delivered.map(({ createTime }) => createTime);
    expect(kept.filter((time) => time >= firstCreateTime).toSorted()).toEqual(sent.toSorted());
    const newest = await hub.ticket();
    expect(newest.json.componentVerifyTicket).toBe(delivered.at(-1)?.ticket);
  });
});

/** Platforms with a first token; the one of the environment is the first. */
async function prepare(fleet: ProcessFleet, through: HubProcess): Promise<Case[]> {
  const cases: Case[] = [];
  for (const [point, old] of CASES) {
    const { appid } = cases.length === 0 ? COMPONENT : await fleet.addComponent(through);
    const earlier = Math.floor(Date.now() / 1000) - 1800;
    const oldToken = await fleet.prime(appid, through, earlier);
    cases.push({ point, old, appid, oldToken, leasedAt: 0, recoveredAt: Infinity, reads: [] });
  }
  fleet.simulator.clearCalls();
  return cases;
}

/** Has the victim begin an exchange that stands still at the point, and ages the old token. */
async function cutOffAt(
  fleet: ProcessFleet,
  victim: HubProcess,
  saving: Connection,
  one: Case,
): Promise<void> {
  const { point, old, appid } = one;
  fleet.simulator.addFault({
    path: EXCHANGE_PATH,
    times: 1,
    ...(point === 'before it was saved'
      ? { kind: 'delay', delayMs: ANSWER_DELAY_MS }
      : { kind: 'hang', afterEffect: point === 'after WeChat issued it' }),
  });
  if (old === 'expired') fleet.simulator.expireTokens(appid);
  const count = fleet.exchanges() + 1;
  // Never answered: the crash cuts it.
  victim.hub.post(`/admin/tokens/${appid}/refresh`).catch(() => undefined);
  await fleet.simulator.waitForCall(EXCHANGE_PATH, { count });
  one.leasedAt = performance.now();
  await fleet.age(appid, old);
  if (point === 'before it was saved') await lockRow(saving, appid);
}

/** Holds a row as a busy database would, so that the victim's save waits for it. */
async function lockRow(saving: Connection, appid: string): Promise<void> {
  await saving.query('SET autocommit = 0');
  await saving.execute(
    'SELECT generation FROM component_access_token WHERE component_appid = ? FOR UPDATE',
    [appid],
  );
}

async function lockTicket(saving: Connection): Promise<void> {
  await saving.execute(
    'SELECT Cvt_Id FROM tb_ComponentVerifyTicket WHERE Cvt_AppId = ? FOR UPDATE',
    [COMPONENT.appid],
  );
}

/** What waits in the database for a lock is lost, as when the crash had come a moment earlier. */
async function cutOffSaves(fleet: ProcessFleet): Promise<void> {
  const [waiting] = await fleet.sql.execute<RowDataPacket[]>(
    'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE ?',
    ['UPDATE%component_access_token%'],
  );
  for (const { id } of waiting) await fleet.sql.query(`KILL ${Number(id)}`);
}

/** Two such statements have reached the database and wait for a lock. */
async function untilWaiting(fleet: ProcessFleet, statement: string): Promise<void> {
  await eventually(`statements like ${statement}`, async () => {
    const [[waiting]] = await fleet.sql.execute<RowDataPacket[]>(
      'SELECT COUNT(*) AS count FROM information_schema.processlist ' +
        'WHERE db = DATABASE() AND info LIKE ?',
      [statement],
    );
    return waiting?.count === 2 || undefined;
  });
}

/** A service that reads from the surviving host, and calls WeChat with what it got. */
async function readUntilNew(
  fleet: ProcessFleet,
  survivor: HubProcess,
  one: Case,
  killed: number,
): Promise<void> {
  for (;;) {
    const { status, json } = await survivor.hub.accessToken(one.appid);
    const token = json.component_access_token as string;
    one.reads.push({ status, accepted: await fleet.accepts(token) });
    if (status === 200 && token !== one.oldToken) {
      one.recoveredAt = performance.now();
      return;
    }
    if (since(killed) > 2 * RECOVERY_LIMIT_MS) return;
    await delay(READ_INTERVAL_MS);
  }
}

function caseOf(cases: Case[], point: Point, old: Case['old']): Case {
  const found = cases.find((one) => one.point === point && one.old === old);
  if (!found) throw new Error('No such case');
  return found;
}
