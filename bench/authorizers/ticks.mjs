import { loadavg } from 'node:os';
// By its path: the benchmark has another version beside it, for the packages compared with.
import { NestFactory } from '../../node_modules/@nestjs/core/index.js';
import { AppModule } from '../../dist/app.module.js';
import { AuthorizerRefresher } from '../../dist/authorizer/authorizer.refresher.js';
import { parseConfig } from '../../dist/config/app-config.js';
import { hubEnvironment } from '../lib/hub.mjs';
import { kill } from '../lib/processes.mjs';
import { COMPONENT } from '../lib/settings.mjs';
import { median } from '../lib/statistics.mjs';
import { newDatabase, withoutSync } from './mysql-world.mjs';
import { idleTokens, insertRows, rowOf, withoutResync } from './rows.mjs';
import { prime, startHub, WechatProcess } from './world.mjs';

/** Accounts that are due in the second series, however many there are besides. */
export const DUE = 100;
const HOUR_MS = 3_600_000;
const LONG_MS = 1000 * HOUR_MS;

/**
 * (c) What one turn of the timers costs where the table grows but what is due does not. The hub
 * runs in this process with its timers off, and each turn is called and timed.
 */
export async function measureTicks({ mysql, settings }) {
  const wechat = await WechatProcess.start();
  const database = await newDatabase(mysql, 'bench_ticks');
  const hub = await startHub('hub-ticks', database.url, wechat);
  await prime(hub, wechat);
  await withoutResync(database);
  // Its token stands in the database: the one of this process needs no ticket.
  await kill(hub.server);
  const app = await startWithoutTimers(database.url, wechat.url);
  const turns = app.get(AuthorizerRefresher);
  await wechat.addAccounts(DUE, 'wxtick');
  const world = { mysql, wechat, database, turns, settings };
  const sizes = [];
  let present = 0;
  for (const size of settings.sizes) {
    const filled = performance.now();
    await withoutSync(mysql, () => grow(world, present, size));
    await database.query('ANALYZE TABLE authorizer');
    present = size;
    const fillSeconds = (performance.now() - filled) / 1000;
    process.stdout.write(`  ${size} rows after ${Math.round(fillSeconds)} s\n`);
    sizes.push({ size, fillSeconds, ...(await measureSize(world)), load: loadavg()[0] });
  }
  await app.close();
  await kill(wechat.server);
  await database.drop();
  return sizes;
}

function startWithoutTimers(databaseUrl, wechatUrl) {
  const config = parseConfig({ ...hubEnvironment(0, databaseUrl, wechatUrl), LOG_LEVEL: 'error' });
  const module = AppModule.register(config, { timers: false });
  const options = { logger: false, abortOnError: false };
  return NestFactory.createApplicationContext(module, options);
}

/** More accounts, none of them due; the first ones are those that WeChat knows. */
async function grow({ wechat, database }, from, to) {
  const rows = async function* () {
    const range = { component: COMPONENT.appid, offset: 0, count: DUE };
    if (from === 0) {
      const issued = await wechat.control('POST', '/authorizer-tokens/issue', range);
      for (const tokens of issued) yield rowOf(tokens, idleTimes());
    }
    for (let number = Math.max(from, DUE); number < to; number += 1) {
      const account = `wxtock${number.toString(16).padStart(12, '0')}`;
      yield rowOf(idleTokens(account), idleTimes());
    }
  };
  await insertRows(database.url, rows());
}

/** Due at some time after the benchmark, as the refreshes of so many accounts would be. */
function idleTimes() {
  const refreshAt = Date.now() + HOUR_MS + Math.round(Math.random() * HOUR_MS);
  return { refreshAt, expiresAt: refreshAt + HOUR_MS };
}

async function measureSize(world) {
  const { turns, settings, database, wechat } = world;
  const idle = () => turns.refreshTokens();
  await idle();
  const refresh = await measure(world, settings.turns, idle);
  const codes = await measure(world, settings.turns, () => turns.exchangeCodes());
  const infos = await measure(world, settings.turns, () => turns.fetchInfos());
  const makeDue = () =>
    database.query(
      `UPDATE authorizer SET refresh_at = ?, expires_at = ?
       WHERE authorizer_appid LIKE 'wxtick%'`,
      [Date.now() - 1000, Date.now() + LONG_MS],
    );
  await wechat.forgetCalls();
  const due = await measure(world, settings.dueTurns, idle, makeDue);
  const { arrived } = await wechat.calls();
  if (arrived !== DUE * settings.dueTurns) throw new Error(`${arrived} calls for what was due`);
  return { refresh, codes, infos, due };
}

/** Median time of a turn, and the rows that the database read for one. */
async function measure({ database }, times, turn, prepare) {
  const taken = [];
  const rows = [];
  for (let time = 0; time < times; time += 1) {
    await prepare?.();
    const before = await rowsRead(database);
    const started = performance.now();
    await turn();
    taken.push(performance.now() - started);
    rows.push((await rowsRead(database)) - before);
  }
  return { ms: median(taken), slowestMs: Math.max(...taken), rows: median(rows) };
}

/** The server's own count of reads by index and by row: nothing else on the machine changes it. */
async function rowsRead({ query }) {
  const counters = await query("SHOW GLOBAL STATUS LIKE 'Handler_read%'");
  return counters.reduce((sum, { Value: value }) => sum + Number(value), 0);
}
