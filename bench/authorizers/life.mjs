import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { cpuMs, kill } from '../lib/processes.mjs';
import { COMPONENT } from '../lib/settings.mjs';
import { newDatabase, withoutSync } from './mysql-world.mjs';
import { insertRows, rowOf, withoutResync } from './rows.mjs';
import { peakMemory, prime, read, startHub, troubles, WechatProcess } from './world.mjs';

const HUBS = 3;
/** Accounts that get tokens of the same end. */
const PAGE = 500;
/**
 * A token of two hours is refreshed 10 to 37.5 minutes before its end: these shares of its life.
 * The hub does it by `refreshTime` and a spread of a quarter.
 */
const MARGIN = { least: 1 / 12, most: 0.3125 };
/** Time to fill the table before the first account is due: so much, and so much per account. */
const FILL_MS = { least: 20_000, each: 0.7 };
/** How often the table as a whole and WeChat's view of it are looked at. */
const LOOK_MS = 2000;
/** Pause between reads of a token by a service, of one account at random. */
const READ_PAUSE_MS = 25;
/** After the life of a token all must be done; the lease of the killed hub has long ended. */
const PATIENCE_MS = 30_000;

/**
 * (a) Many accounts are due once each over one shortened life of their tokens; three hubs on one
 * database keep them alive, and one of them is killed in the middle.
 */
export async function measureLife({ mysql, settings }) {
  const database = await newDatabase(mysql, 'bench_life');
  const wechat = await WechatProcess.start();
  const hubs = [];
  for (let number = 1; number <= HUBS; number += 1) {
    hubs.push(await startHub(`hub-life-${number}`, database.url, wechat));
  }
  await prime(hubs[0], wechat);
  await withoutResync(database);
  await wechat.addAccounts(settings.accounts, 'wxlife');
  const accounts = await withoutSync(mysql, () => fill(wechat, database, settings));
  await database.query(
    `CREATE TABLE bench_before AS
     SELECT authorizer_appid, refresh_at, expires_at FROM authorizer`,
  );
  await database.query('ALTER TABLE bench_before ADD PRIMARY KEY (authorizer_appid)');
  await wechat.answerIn(settings.answerMs);
  await wechat.forgetCalls();
  const life = new Life({ database, wechat, hubs, accounts, settings });
  const seen = await life.run();
  const proof = await proofOf(database);
  const hubErrors = hubs.map(troubles);
  for (const { server } of [...hubs, wechat]) await kill(server);
  await database.drop();
  return { ...seen, ...proof, troubles: hubErrors.map((lines) => lines.length) };
}

/** Rows whose due times are spread evenly over a life, less the margins. */
async function fill(wechat, { url }, { accounts: count, lifeMs }) {
  const appids = [];
  const pages = Math.ceil(count / PAGE);
  const window = lifeMs * (1 - MARGIN.most);
  const start = Date.now() + FILL_MS.least + FILL_MS.each * count;
  const rows = async function* () {
    for (let page = 0; page < pages; page += 1) {
      const end = start + lifeMs * MARGIN.most + (window * page) / pages;
      const issued = await wechat.control('POST', '/authorizer-tokens/issue', {
        component: COMPONENT.appid,
        offset: page * PAGE,
        count: PAGE,
        lifeSeconds: (end - Date.now()) / 1000,
      });
      for (const tokens of issued) {
        appids.push(tokens.account);
        const { least, most } = MARGIN;
        const margin = lifeMs * (least + Math.random() * (most - least));
        const { expiresAtMs: expiresAt } = tokens;
        yield rowOf(tokens, { expiresAt, refreshAt: Math.round(expiresAt - margin) });
      }
    }
  };
  await insertRows(url, rows());
  if (Date.now() > start) throw new Error('Filling the table took too long: some are overdue');
  return appids;
}

/** The life itself: who watches, who reads, who is killed. */
class Life {
  #done = false;
  #looks = 0;
  #withoutToken = 0;
  #atWechat = 0;
  #reads = 0;
  #failedReads = [];
  #loads = [];

  constructor(world) {
    Object.assign(this, world);
    this.alive = [...this.hubs];
    this.peaks = [];
    this.hubCpuMs = -this.hubs.reduce((sum, { server }) => sum + cpuMs(server), 0);
  }

  async run() {
    const started = performance.now();
    const watching = [this.#look(), this.#readTokens()];
    const killed = await this.#killMidway();
    await this.#untilAllAreRefreshed();
    this.#done = true;
    await Promise.all(watching);
    for (const { server } of this.alive) this.#account(server);
    return {
      hubCpuMicros: (this.hubCpuMs * 1000) / this.settings.accounts,
      seconds: (performance.now() - started) / 1000,
      calls: await this.wechat.calls(),
      killedAt: killed,
      looks: this.#looks,
      withoutToken: this.#withoutToken,
      withoutTokenAtWechat: this.#atWechat,
      reads: this.#reads,
      failedReads: this.#failedReads,
      peaks: this.peaks,
      loads: this.#loads,
    };
  }

  /** The last hub ends as by a crash when half of the refreshes are made. */
  async #killMidway() {
    const fillMs = FILL_MS.least + FILL_MS.each * this.settings.accounts;
    const until = performance.now() + fillMs + this.settings.lifeMs + PATIENCE_MS;
    for (;;) {
      const { arrived } = await this.wechat.calls();
      if (arrived >= this.settings.accounts / 2) {
        const { server } = this.alive.pop();
        this.#account(server);
        await kill(server);
        return arrived;
      }
      if (performance.now() > until) throw new Error(`Only ${arrived} refreshes`);
      await delay(50);
    }
  }

  /** What a hub has used, while the system still knows. */
  #account(server) {
    this.peaks.push(peakMemory(server));
    this.hubCpuMs += cpuMs(server);
  }

  async #untilAllAreRefreshed() {
    const until = performance.now() + this.settings.lifeMs + PATIENCE_MS;
    for (;;) {
      const [row] = await this.database.query(
        'SELECT COUNT(*) AS old FROM authorizer WHERE generation = 1',
      );
      if (Number(row.old) === 0) return;
      if (performance.now() > until) throw new Error(`${row.old} tokens were never refreshed`);
      await delay(LOOK_MS);
    }
  }

  /** Every row and, independently of the hub's own times, WeChat's opinion of every token. */
  async #look() {
    while (!this.#done) {
      const now = Date.now();
      const [{ dead }] = await this.database.query(
        `SELECT COUNT(*) AS dead FROM authorizer WHERE expires_at <= ? OR status <> 'active'`,
        [now],
      );
      const counts = await this.wechat.control('GET', '/authorizations');
      this.#looks += 1;
      this.#withoutToken += Number(dead);
      this.#atWechat += this.settings.accounts - counts.withWorkingToken;
      this.#loads.push(loadavg()[0]);
      await delay(LOOK_MS);
    }
  }

  /** A service that reads tokens, of any hub, and asks WeChat whether they work. */
  async #readTokens() {
    while (!this.#done) {
      const account = this.accounts[Math.floor(Math.random() * this.accounts.length)];
      const hub = this.alive[Math.floor(Math.random() * this.alive.length)];
      const answer = await read(hub, `/api/authorizers/${account}/access-token`).catch((error) => ({
        json: { error: error.code },
      }));
      await this.#judge(hub, answer);
      await delay(READ_PAUSE_MS);
    }
  }

  async #judge(hub, { status, json }) {
    // What the crash itself cut off is no answer of a hub that lives.
    if (!this.alive.includes(hub)) return;
    this.#reads += 1;
    const token = json?.authorizer_access_token;
    const { valid } = await this.wechat.control('POST', '/authorizer-tokens/check', { token });
    if (status !== 200 || !valid) this.#failedReads.push(JSON.stringify(json).slice(0, 200));
  }
}

/**
 * No sampling: for every account the end of the token that it had, beside the moment when the
 * exchange of its successor began.
 */
async function proofOf({ query }) {
  const [row] = await query(
    `SELECT COUNT(*) AS refreshed,
       SUM(a.generation = 2) AS once,
       SUM(a.obtained_at >= b.expires_at) AS tooLate,
       MIN(b.expires_at - a.obtained_at) AS leastSpare,
       AVG(a.obtained_at - b.refresh_at) AS meanLate,
       MAX(a.obtained_at - b.refresh_at) AS mostLate,
       SUM(a.attempts > 0 OR a.lease_until IS NOT NULL) AS unsettled
     FROM authorizer a JOIN bench_before b USING (authorizer_appid)`,
  );
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)]));
}
