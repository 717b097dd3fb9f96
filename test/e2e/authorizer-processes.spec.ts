import { setTimeout as delay } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { BuiltPush } from '../../simulator/push-builder.js';
import type { FaultSpec } from '../../simulator/fault-plan.js';
import { count, fillAuthorizers, withoutDailyResync } from '../support/authorizer-fleet.js';
import {
  AUTHORIZER_LIST,
  AUTHORIZER_TOKEN,
  comeBack,
  newAccounts,
  PLATFORM,
  QUERY_AUTH,
} from '../support/authorizer-world.js';
import { mysqlOnly } from '../support/databases.js';
import type { HubProcess } from '../support/hub-process.js';
import { ProcessFleet } from '../support/process-fleet.js';

const ACCOUNTS = 1500;
/** Accounts that are due, each once, before the crash; the others are when it comes. */
const BEFORE = 700;
/**
 * Life that the tokens have left: longer than it takes until a dead host's lease has ended and the
 * timers have come round.
 */
const LIFE_MS = 75_000;
/** Refreshes that one host has under way at once: no more can be cut off by its end. */
const CONCURRENCY = 100;
/** Accounts of the other platform, of which every tenth is not on record. */
const LISTED = 560;
const PAGE = 500;
const HOUR_MS = 3_600_000;
/** Until a dead host's code is claimed (12 s), a turn of the timer, and some patience. */
const CODE_LIMIT_MS = 40_000;
/** For what takes seconds where nothing else runs. */
const LIMIT_MS = 45_000;
/** Tokens that are read at the least while hosts refresh, and after. */
const READS = 50;

const SLOW_ANSWER: FaultSpec = { path: AUTHORIZER_TOKEN, kind: 'delay', delayMs: 50 };

interface Seen {
  looks: number;
  withoutToken: number;
  withoutTokenAtWechat: number;
  reads: number;
  badReads: string[];
}

/** One crash in the middle of everything that hubs do for authorizers. */
describe.each(mysqlOnly())('one of three hosts on %s, killed with kill -9', (kind) => {
  let fleet: ProcessFleet;
  let hosts: HubProcess[];
  let other: string;
  let byEvent: string;
  let byRedirect: string;
  let gone: string;
  let accounts: string[];
  let watching: Promise<void> | undefined;
  const watched = { over: false };
  let callsAtCrash: number;
  let doneAtCrash: { done: number; startedAt: number };
  const seen: Seen = { looks: 0, withoutToken: 0, withoutTokenAtWechat: 0, reads: 0, badReads: [] };

  beforeAll(async () => {
    fleet = await ProcessFleet.start(kind, 1);
    // One after the other: three at once would be slow to start beside other tests.
    for (let more = 0; more < 2; more += 1) await fleet.addHub();
    hosts = [...fleet.hubs];
    const [victim, ...others] = hosts as [HubProcess, HubProcess, HubProcess];
    other = await prepare(victim);
    await beginResync(victim);
    accounts = await fillWithDue();
    watching = watch();
    await untilAllRefresh();
    await beginCodes(victim);
    hosts = others;
    callsAtCrash = refreshes();
    doneAtCrash = await progress();
    await victim.kill();
    fleet.simulator.removeFaults();
    fleet.simulator.addFault(SLOW_ANSWER);
    fleet.simulator.release(AUTHORIZER_TOKEN);
    await untilUnrefreshed(0);
    // Hosts may have refreshed all before so many were read.
    const enough = (): true | undefined => (seen.reads > READS ? true : undefined);
    await eventually(`more than ${READS} reads`, enough, LIMIT_MS);
    watched.over = true;
    await watching;
  }, 150_000);
  afterAll(async () => {
    watched.over = true;
    await watching;
    await fleet.close();
  });

  /** Another platform, with accounts that are not due and some that are not on record. */
  async function prepare(through: HubProcess): Promise<string> {
    await fleet.prime(PLATFORM, through);
    const { appid } = await fleet.addComponent(through);
    await fleet.prime(appid, through);
    for (const platform of [PLATFORM, appid]) await withoutDailyResync(fleet, platform);
    newAccounts(fleet, LISTED, { authorizedTo: appid });
    const issued = fleet.simulator.accounts.issueTokens(appid, { count: LISTED });
    const known = issued.filter((_, index) => index % 10 !== 0);
    const later = { refreshAt: Date.now() + HOUR_MS, expiresAt: Date.now() + 2 * HOUR_MS };
    await fillAuthorizers(fleet, appid, known, () => later);
    gone = known.at(-1)?.account ?? '';
    await fleet.simulator.accounts.withdraw(appid, gone, { push: false });
    [byEvent, byRedirect] = newAccounts(fleet, 2) as [string, string];
    return appid;
  }

  async function fillWithDue(): Promise<string[]> {
    const appids = newAccounts(fleet, ACCOUNTS, { authorizedTo: PLATFORM });
    const range = { count: ACCOUNTS, lifeSeconds: LIFE_MS / 1000 };
    const issued = fleet.simulator.accounts.issueTokens(PLATFORM, range);
    fleet.simulator.addFault(SLOW_ANSWER);
    const now = Date.now();
    await fillAuthorizers(fleet, PLATFORM, issued, ({ expiresAtMs: expiresAt }, index) => ({
      refreshAt: index < BEFORE ? now + index : expiresAt,
      expiresAt,
    }));
    await fleet.sql.query(
      `CREATE TABLE had AS SELECT authorizer_appid, expires_at FROM authorizer
       WHERE component_appid = '${PLATFORM}'`,
    );
    return appids;
  }

  /** The victim has compared one page and waits for the second. */
  async function beginResync(victim: HubProcess): Promise<void> {
    fleet.simulator.addFault({ path: AUTHORIZER_LIST, kind: 'delay', delayMs: 1, times: 1 });
    fleet.simulator.addFault({ path: AUTHORIZER_LIST, kind: 'hang', times: 1 });
    await victim.hub.post(`/admin/components/${other}/authorizers/resync`);
    await fleet.simulator.waitForCall(AUTHORIZER_LIST, { count: 2, timeoutMs: 30_000 });
  }

  /** Hosts are refreshing, and WeChat has made tokens of which none has heard yet. */
  async function untilAllRefresh(): Promise<void> {
    const { simulator, sql } = fleet;
    const others = ACCOUNTS - BEFORE;
    await untilUnrefreshed(others);
    simulator.removeFaults();
    simulator.addFault({ path: AUTHORIZER_TOKEN, kind: 'hang', afterEffect: true });
    await sql.query(
      'UPDATE authorizer SET refresh_at = ? WHERE component_appid = ? AND generation = 1',
      [Date.now(), PLATFORM],
    );
    // More than one host has under way.
    await eventually('calls that are held', async () =>
      simulator.state().held > CONCURRENCY + 1 ? true : undefined,
    );
  }

  /** WeChat has taken two codes, and the victim never hears of it. */
  async function beginCodes(victim: HubProcess): Promise<void> {
    const { simulator } = fleet;
    simulator.addFault({ path: QUERY_AUTH, kind: 'hang', afterEffect: true });
    const [first, second] = await Promise.all(
      [byEvent, byRedirect].map((one) => simulator.accounts.authorize(other, one, { push: false })),
    );
    const { text } = await victim.hub.push(first?.event as BuiltPush);
    if (text !== 'success') throw new Error(`The event was answered ${text}`);
    // Never answered: the crash cuts it.
    comeBack(victim, second?.code ?? '', other).catch(() => undefined);
    await simulator.waitForCall(QUERY_AUTH, { count: 2, timeoutMs: 4000 });
  }

  /** What WeChat did for the platform's accounts, other than giving them the first token. */
  function refreshes(): number {
    return fleet.simulator.accounts.counts(PLATFORM).tokensIssued - ACCOUNTS;
  }

  async function untilUnrefreshed(left: number): Promise<void> {
    const statement =
      'SELECT COUNT(*) FROM authorizer WHERE component_appid = ? AND generation = 1';
    const look = async () =>
      (await count(fleet, statement, [PLATFORM])) === left ? true : undefined;
    await eventually(`all but ${left} refreshed`, look, LIMIT_MS);
  }

  /** Lets the lease of the host that is gone last for so many milliseconds more. */
  async function leaseResyncFor(ms: number): Promise<void> {
    await fleet.sql.query('UPDATE authorizer_resync SET lease_until = ?', [Date.now() + ms]);
  }

  async function progress(): Promise<{ done: number; startedAt: number }> {
    const [rows] = await fleet.sql.query<RowDataPacket[]>(
      'SELECT done, started_at AS startedAt FROM authorizer_resync WHERE component_appid = ?',
      [other],
    );
    return rows[0] as unknown as { done: number; startedAt: number };
  }

  /** Looks at every row and at WeChat's opinion, and reads tokens as services do. */
  async function watch(): Promise<void> {
    while (!watched.over) {
      seen.withoutToken += await count(
        fleet,
        'SELECT COUNT(*) FROM authorizer WHERE component_appid = ? AND expires_at <= ?',
        [PLATFORM, Date.now()],
      );
      const { withWorkingToken } = fleet.simulator.accounts.counts(PLATFORM);
      seen.withoutTokenAtWechat += ACCOUNTS - withWorkingToken;
      seen.looks += 1;
      await Promise.all(hosts.map(readOne));
      await delay(50);
    }
  }

  async function readOne(host: HubProcess, index: number): Promise<void> {
    const account = accounts[(seen.looks * 37 + index * 500) % ACCOUNTS] as string;
    const answer = await host.hub.get(`/api/authorizers/${account}/access-token`).catch(() => null);
    // What the crash itself cut off was no answer.
    if (!hosts.includes(host)) return;
    seen.reads += 1;
    const token = answer?.json?.authorizer_access_token ?? '';
    if (answer?.status === 200 && fleet.simulator.accounts.isTokenValid(token)) return;
    seen.badReads.push(`${answer?.status} ${answer?.text}`);
  }

  async function statesOfCodes(): Promise<string[]> {
    const [rows] = await fleet.sql.query<RowDataPacket[]>(
      'SELECT state FROM authorization_code WHERE component_appid = ? AND code IS NULL',
      [other],
    );
    return rows.map(({ state }) => state as string);
  }

  it('leaves none of 1,500 accounts without a token that works', async () => {
    const { reads, badReads, looks, withoutToken, withoutTokenAtWechat } = seen;
    const spare = await count(
      fleet,
      'SELECT MIN(had.expires_at - obtained_at) FROM authorizer JOIN had USING (authorizer_appid)',
    );
    console.log(`${looks} looks, ${reads} reads, last refresh ${spare} ms before the token's end`);
    expect({ withoutToken, withoutTokenAtWechat, badReads }).toEqual({
      withoutToken: 0,
      withoutTokenAtWechat: 0,
      badReads: [],
    });
    expect(spare).toBeGreaterThan(0);
    expect(reads).toBeGreaterThan(READS);
  });

  it('costs no call but those that it had under way itself', async () => {
    console.log(`${refreshes()} refreshes of ${ACCOUNTS} accounts, ${callsAtCrash} at the crash`);
    expect(callsAtCrash).toBeLessThan(ACCOUNTS);
    expect(refreshes()).toBeGreaterThanOrEqual(ACCOUNTS);
    expect(refreshes()).toBeLessThanOrEqual(ACCOUNTS + CONCURRENCY);
    const unsettled = `SELECT COUNT(*) FROM authorizer WHERE component_appid = ?
      AND (generation = 1 OR lease_until IS NOT NULL OR attempts > 0)`;
    await eventually('rows at rest', async () =>
      (await count(fleet, unsettled, [PLATFORM])) === 0 ? true : undefined,
    );
  });

  it('leaves codes that WeChat has taken to others, who end them as refused', async () => {
    const states = await eventually(
      'the codes',
      async () => {
        const ended = await statesOfCodes();
        return ended.length === 2 ? ended : undefined;
      },
      CODE_LIMIT_MS,
    );
    expect(states).toEqual(['failed', 'failed']);
    expect(fleet.simulator.callSummary().paths[QUERY_AUTH]?.answered).toMatchObject({ 61009: 2 });
  }, 60_000);

  it('leaves its resync to another, which goes on at its page and repairs all', async () => {
    expect(doneAtCrash).toMatchObject({ done: PAGE });
    const [next] = hosts as [HubProcess];
    const path = `/admin/components/${other}/authorizers/resync`;
    // However long the tests before have taken.
    await leaseResyncFor(50_000);
    expect((await next.hub.post(path)).json).toMatchObject({ done: PAGE, finishedAt: null });
    const listCalls = () => fleet.simulator.callSummary().paths[AUTHORIZER_LIST]?.arrived;
    expect(listCalls()).toBe(2);
    // A minute passes, after which the host is taken to be gone.
    await leaseResyncFor(-1);
    await next.hub.post(path);
    const end = await eventually('the end of the resync', async () => {
      const { json } = await next.hub.get(path);
      return json.finishedAt ? json : undefined;
    });
    const { listed } = fleet.simulator.accounts.counts(other);
    expect(end).toMatchObject({ done: listed, total: listed });
    expect((await progress()).startedAt).toBe(doneAtCrash.startedAt);
    expect(listCalls()).toBe(3);
    const all = 'SELECT COUNT(*) FROM authorizer WHERE component_appid = ?';
    // Those of the two codes besides; nothing is deleted.
    expect(await count(fleet, all, [other])).toBe(LISTED + 2);
    const active = `${all} AND status = 'active' AND refresh_token IS NOT NULL`;
    await eventually('the one that is gone', async () =>
      (await count(fleet, active, [other])) === LISTED + 1 ? true : undefined,
    );
  });

  it('loses no account whose code it had leased', async () => {
    const [one, two] = hosts as [HubProcess, HubProcess];
    for (const account of [byEvent, byRedirect]) {
      const { status, json } = await one.hub.get(`/api/authorizers/${account}/access-token`);
      expect(status).toBe(200);
      expect(fleet.simulator.accounts.isTokenValid(json.authorizer_access_token)).toBe(true);
    }
    const withdrawn = await two.hub.get(`/api/authorizers/${gone}/access-token`);
    expect(withdrawn.status).toBe(410);
  });
});
