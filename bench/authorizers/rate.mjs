import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent } from 'node:http';
import { cpuMs, kill } from '../lib/processes.mjs';
import { COMPONENT } from '../lib/settings.mjs';
import { newDatabase, withoutSync } from './mysql-world.mjs';
import { insertRows, rowOf, withoutResync } from './rows.mjs';
import { ask, peakMemory, prime, REFRESH_PATH, startHub, WechatProcess } from './world.mjs';

const LIMIT_MS = 240_000;
const POLL_MS = 100;
const PAGE = 5000;
/** The rate is taken between these shares of the calls: neither the start nor the end counts. */
const FROM = 0.1;
const TO = 0.95;
/** Calls that the bare loop has under way at once: as many as the hub. */
const AT_ONCE = 100;

/**
 * (b) How many refreshes one hub sustains: everything is due at once, one process works it off.
 * Beside it a bare loop of what cannot be saved: the same calls, and one UPDATE for each.
 */
export async function measureRate({ mysql, settings }) {
  const wechat = await WechatProcess.start();
  const database = await newDatabase(mysql, 'bench_rate');
  const count = settings.rateAccounts;
  const hub = await startHub('hub-rate', database.url, wechat);
  const token = await prime(hub, wechat);
  await withoutResync(database);
  await wechat.addAccounts(count, 'wxrate');
  const accounts = await fill(mysql, wechat, database, count);
  await wechat.answerIn(settings.answerMs);
  const own = await drain({ mysql, wechat, hub, database, count });
  await kill(hub.server);
  const bare = await bareLoop(wechat, database, token, accounts.slice(0, settings.bareAccounts));
  await kill(wechat.server);
  await database.drop();
  return { ...own, bare };
}

/** Rows that are all due and not expired. */
async function fill(mysql, wechat, { url }, count) {
  const accounts = [];
  const rows = async function* () {
    for (let offset = 0; offset < count; offset += PAGE) {
      const range = { component: COMPONENT.appid, offset, count: Math.min(PAGE, count - offset) };
      const issued = await wechat.control('POST', '/authorizer-tokens/issue', range);
      for (const tokens of issued) {
        accounts.push(tokens);
        // The hub's timer must not begin before all are there.
        yield rowOf(tokens, { expiresAt: tokens.expiresAtMs, refreshAt: tokens.expiresAtMs });
      }
    }
  };
  await withoutSync(mysql, () => insertRows(url, rows()));
  return accounts;
}

async function drain({ mysql, wechat, hub, database, count }) {
  await wechat.forgetCalls();
  await database.query('UPDATE authorizer SET refresh_at = ?', [Date.now() - 1000]);
  const servers = { hub: hub.server, mysql: mysql.server, wechat: wechat.server };
  const first = await reached(wechat, count * FROM, servers);
  const last = await reached(wechat, count * TO, servers);
  const seconds = (last.at - first.at) / 1000;
  const calls = last.calls - first.calls;
  const micros = (name) => ((last.cpu[name] - first.cpu[name]) * 1000) / calls;
  await reached(wechat, count, servers);
  await settled(database);
  return {
    count,
    perSecond: calls / seconds,
    cpuMicros: { hub: micros('hub'), mysql: micros('mysql'), wechat: micros('wechat') },
    calls: (await wechat.calls()).arrived,
    peak: peakMemory(hub.server),
    load: loadavg()[0],
  };
}

/** Waits until so many calls have arrived; when that was, and the processor time used by then. */
async function reached(wechat, wanted, servers) {
  const until = performance.now() + LIMIT_MS;
  for (;;) {
    const { arrived } = await wechat.calls();
    if (arrived >= wanted) {
      const cpu = Object.fromEntries(Object.entries(servers).map(([k, s]) => [k, cpuMs(s)]));
      return { at: performance.now(), calls: arrived, cpu };
    }
    if (performance.now() > until) throw new Error(`Only ${arrived} of ${wanted} refreshes`);
    await delay(POLL_MS);
  }
}

async function settled(database) {
  const until = performance.now() + 20_000;
  while (performance.now() < until) {
    const [{ left }] = await database.query(
      'SELECT COUNT(*) AS `left` FROM authorizer WHERE generation = 1',
    );
    if (Number(left) === 0) return;
    await delay(POLL_MS);
  }
  throw new Error('Not all tokens are saved');
}

async function bareLoop(wechat, { pool }, token, accounts) {
  const connections = new Agent({ keepAlive: true });
  const queue = accounts.values();
  const url = `${wechat.url}${REFRESH_PATH}?component_access_token=${encodeURIComponent(token)}`;
  const work = async () => {
    for (const { account, refreshToken } of queue) {
      const body = {
        component_appid: COMPONENT.appid,
        authorizer_appid: account,
        authorizer_refresh_token: refreshToken,
      };
      const { json } = await ask('POST', url, { body, agent: connections });
      const { authorizer_access_token: access, authorizer_refresh_token: refresh } = json;
      const [now, later] = [Date.now(), Date.now() + 5_000_000];
      const values = [access, refresh, json.expires_in, now, later, later];
      await pool.execute(UPDATE, [...values, COMPONENT.appid, account, 2]);
    }
  };
  const cpu = process.cpuUsage();
  const started = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  connections.destroy();
  return { perSecond: accounts.length / seconds, cpuMicros: (user + system) / accounts.length };
}

const UPDATE = `UPDATE authorizer SET access_token = ?, refresh_token = ?, expires_in = ?,
  obtained_at = ?, expires_at = ?, refresh_at = ?, generation = generation + 1
  WHERE component_appid = ? AND authorizer_appid = ? AND generation = ?`;
