// By its path: the benchmark has another version beside it, for the packages compared with.
import { NestFactory } from '../../node_modules/@nestjs/core/index.js';
import { AppModule } from '../../dist/app.module.js';
import { AuthorizerRefresher } from '../../dist/authorizer/authorizer.refresher.js';
import { parseConfig } from '../../dist/config/app-config.js';
import { mysqlDatabase, withoutSync } from '../lib/databases.mjs';
import { hubEnvironment, prime, startHub } from '../lib/hub.mjs';
import { kill } from '../lib/processes.mjs';
import { median, number, table, whole } from '../lib/results.mjs';
import { idleTokens, insertRows, rowOf, withoutResync } from '../lib/rows.mjs';
import { Worker } from '../lib/worker.mjs';

/** Accounts that are due in the second series, however many there are besides. */
const DUE = 100;
const HOUR_MS = 3_600_000;
const LONG_MS = 1000 * HOUR_MS;
const FULL = { sizes: [1000, 10_000, 100_000, 1_000_000], turns: 41, dueTurns: 9 };
const QUICK = { sizes: [1000, 10_000, 50_000], turns: 15, dueTurns: 3 };
/** Rows grow a thousandfold; a turn's time may grow by so much and be called level. */
const LEVEL = 2;

/**
 * What one turn of the timer costs where the table grows but what is due does not. The hub runs in
 * this process with its timers off, and each turn is called and timed.
 */
export async function measureTicks({ mysql, quick }) {
  const settings = quick ? QUICK : FULL;
  const wechat = new Worker('wechat.mjs');
  const wechatUrl = await wechat.order('url');
  const database = await mysqlDatabase(mysql, 'bench_ticks');
  const hub = await startHub('hub-ticks', database.url, wechatUrl);
  await prime(hub, wechat);
  await withoutResync(database);
  // Its token stays in the database: the one of this process needs no ticket.
  await kill(hub.server);
  const app = await startWithoutTimers(database.url, wechatUrl);
  const turns = app.get(AuthorizerRefresher);
  await wechat.order('addAccounts', { count: DUE, prefix: 'wxtick' });
  const rows = [];
  let present = 0;
  for (const size of settings.sizes) {
    const from = present;
    await withoutSync(mysql, () => insertRows(database.url, grown(wechat, from, size)));
    await database.query('ANALYZE TABLE authorizer');
    present = size;
    process.stdout.write(`  ${size} rows\n`);
    rows.push({ size, ...(await measureSize({ turns, settings, database, wechat })) });
  }
  await app.close();
  wechat.stop();
  await database.drop();
  const title = 'One turn of the timer, by number of accounts that are not due';
  return { title, text: textOf(rows) };
}

function startWithoutTimers(databaseUrl, wechatUrl) {
  const config = parseConfig({ ...hubEnvironment(0, databaseUrl, wechatUrl), LOG_LEVEL: 'error' });
  const module = AppModule.register(config, { timers: false });
  const options = { logger: false, abortOnError: false };
  return NestFactory.createApplicationContext(module, options);
}

/** More accounts, none of them due; the first ones are those that WeChat knows. */
async function* grown(wechat, from, to) {
  if (from === 0) {
    for (const tokens of await wechat.order('issue', { count: DUE })) {
      yield rowOf(tokens, idleTimes());
    }
  }
  for (let place = Math.max(from, DUE); place < to; place += 1) {
    yield rowOf(idleTokens(`wxtock${place.toString(16).padStart(12, '0')}`), idleTimes());
  }
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
  const makeDue = () =>
    database.query(
      `UPDATE authorizer SET refresh_at = ?, expires_at = ?
       WHERE authorizer_appid LIKE 'wxtick%'`,
      [Date.now() - 1000, Date.now() + LONG_MS],
    );
  await wechat.order('forgetCalls');
  const due = await measure(world, settings.dueTurns, idle, makeDue);
  const arrived = await wechat.order('refreshes');
  if (arrived !== DUE * settings.dueTurns) throw new Error(`${arrived} calls for what was due`);
  return { refresh, due };
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
  return { ms: median(taken), rows: median(rows) };
}

/** The server's own count of reads by index and by row: nothing else on the machine changes it. */
async function rowsRead({ query }) {
  const counters = await query("SHOW GLOBAL STATUS LIKE 'Handler_read%'");
  return counters.reduce((sum, { Value: value }) => sum + Number(value), 0);
}

function textOf(rows) {
  const head = ['accounts', 'nothing due: ms', 'reads', `${DUE} due: ms`, 'reads'];
  const cells = rows.map(({ size, refresh, due }) => [
    whole(size),
    number(refresh.ms),
    whole(refresh.rows),
    number(due.ms),
    whole(due.rows),
  ]);
  const [first, last] = [rows[0], rows.at(-1)];
  const growth = last.refresh.ms / first.refresh.ms;
  const same = rows.every(({ refresh }) => refresh.rows === first.refresh.rows);
  return [
    '“Reads” are those of the database server (its `Handler_read` counters) for one turn: unlike ' +
      'times they do not depend on what else the machine does.',
    table([head, ...cells]),
    `From ${whole(first.size)} to ${whole(last.size)} accounts the time of a turn changes by ` +
      `${growth.toFixed(2)}× (${growth <= LEVEL ? 'level' : '**NOT LEVEL**'}); the number of reads ` +
      `${same ? 'is the same' : '**is not the same**'}.`,
  ].join('\n\n');
}
