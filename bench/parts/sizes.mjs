import { allDelivered, mysqlDatabase, withoutSync } from '../lib/databases.mjs';
import { prime, startHub, subscribe } from '../lib/hub.mjs';
import { cpuMs, kill } from '../lib/processes.mjs';
import { number, table, whole } from '../lib/results.mjs';
import { idleTokens, insertRows, rowOf } from '../lib/rows.mjs';
import { EVENTS_PATH, MESSAGES_PATH } from '../lib/settings.mjs';
import { Worker } from '../lib/worker.mjs';

const ACCOUNTS = 20_000;
const DAY_MS = 86_400_000;
/** What the server counts: statements, transactions, and bytes of its log. */
const COUNTERS = ['Questions', 'Com_commit', 'Innodb_os_log_written'];
const TABLES = ['callback_event', 'delivery', 'delivery_attempt', 'authorizer'];

/** What a push costs the database, one at a time and many at once; and what its rows take. */
export async function measureSizes({ mysql, quick }) {
  const ms = quick ? 500 : 4000;
  const load = new Worker('load.mjs');
  const wechat = new Worker('wechat.mjs');
  const target = new Worker('target.mjs');
  const database = await mysqlDatabase(mysql, 'bench_sizes');
  const hub = await startHub('hub-sizes', database.url, await wechat.order('url'));
  await prime(hub, wechat);
  const world = { mysql, load, hub, database, ms };
  const ticket = { kind: 'push', path: EVENTS_PATH };
  const message = { kind: 'message', path: MESSAGES_PATH };
  const rows = [
    ['a ticket, one at a time', await cost(world, ticket, 1)],
    ['a ticket, 32 connections', await cost(world, ticket, 32)],
    ['a message, one at a time', await cost(world, message, 1)],
    ['a message, 32 connections', await cost(world, message, 32)],
  ];
  await subscribe(hub, await target.order('url'), { mode: 'subscriber' });
  rows.push(
    ['a message and its delivery, one at a time', await cost(world, message, 1)],
    ['a message and its delivery, 32 connections', await cost(world, message, 32)],
  );
  await withoutSync(mysql, () => insertRows(database.url, accounts()));
  const sizes = await bytesOf(database);
  await kill(hub.server);
  await database.drop();
  for (const worker of [load, wechat, target]) worker.stop();
  return { title: 'What a push costs a MySQL server, and what rows take', text: text(rows, sizes) };
}

async function cost({ mysql, load, hub, database, ms }, { kind, path }, connections) {
  await load.order('prepare', { kind, count: Math.ceil(8 * ms) });
  const before = await counters(mysql);
  const cpu = [hub.server, mysql.server].map(cpuMs);
  const options = { port: hub.port, path, ms, expected: 'success', connections };
  const { answers, wrong, firstWrong } = await load.order('run', { kind, ...options });
  if (wrong > 0) throw new Error(firstWrong);
  await allDelivered(database);
  const after = await counters(mysql);
  return {
    answers,
    cpuMicros: [hub.server, mysql.server].map(
      (server, index) => ((cpuMs(server) - cpu[index]) * 1000) / answers,
    ),
    each: COUNTERS.map((name) => (after[name] - before[name]) / answers),
  };
}

async function counters(mysql) {
  const rows = await mysql.query('SHOW GLOBAL STATUS');
  return Object.fromEntries(rows.map((row) => [row.Variable_name, Number(row.Value)]));
}

async function* accounts() {
  const later = Date.now() + DAY_MS;
  for (let made = 0; made < ACCOUNTS; made += 1) {
    const account = `wxsize${String(made).padStart(12, '0')}`;
    yield rowOf(idleTokens(account), { expiresAt: later, refreshAt: later });
  }
}

async function bytesOf(database) {
  const sizes = [];
  for (const name of TABLES) {
    await database.query(`ANALYZE TABLE ${name}`);
    const [{ n }] = await database.query(`SELECT COUNT(*) AS n FROM ${name}`);
    const [{ data, indexes }] = await database.query(
      `SELECT DATA_LENGTH AS data, INDEX_LENGTH AS indexes FROM information_schema.TABLES
       WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?`,
      [name],
    );
    sizes.push([name, whole(Number(n)), whole(data / n), whole(indexes / n)]);
  }
  return sizes;
}

function text(rows, sizes) {
  const head = ['what', 'requests', 'CPU µs of the hub', 'of MySQL', 'statements', 'commits'];
  const costs = rows.map(([name, { answers, cpuMicros, each }]) => {
    const [statements, commits, log] = each;
    const counts = [number(statements), number(commits), whole(log)];
    return [name, whole(answers), ...cpuMicros.map(whole), ...counts];
  });
  return [
    "From the server's own counters, those of the hub's timers and of this measurement among them.",
    table([[...head, 'bytes of log'], ...costs]),
    table([['table', 'rows', 'bytes a row', 'and of its indexes'], ...sizes]),
  ].join('\n\n');
}
