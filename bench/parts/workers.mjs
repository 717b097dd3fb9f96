import { setTimeout as delay } from 'node:timers/promises';
import { mysqlDatabase } from '../lib/databases.mjs';
import { ask, prime, startHub, troubles } from '../lib/hub.mjs';
import { cpuMs, kill, processMs } from '../lib/processes.mjs';
import { list, median, number, table, whole } from '../lib/results.mjs';
import { EVENTS_PATH } from '../lib/settings.mjs';
import { Worker } from '../lib/worker.mjs';

const FULL = { warmUpMs: 3000, rounds: 5, ms: 3000 };
const QUICK = { warmUpMs: 500, rounds: 3, ms: 500 };
const REST_MS = 300;
/** More pushes per second than any hub here answers. */
const PER_SECOND = 16_000;
const CONNECTIONS = 32;
const COUNTS = [1, 2];
const LISTEN_LIMIT_MS = 30_000;

/** Ticket pushes on MySQL by one process and by two workers, with the processor time of each part. */
export async function measureWorkers({ mysql, quick }) {
  const plan = quick ? QUICK : FULL;
  const load = new Worker('load.mjs');
  const wechat = new Worker('wechat.mjs');
  const targets = [];
  for (const count of COUNTS) targets.push(await startTarget(count, mysql, wechat));
  for (const target of targets) await measureOne(load, target, mysql, plan.warmUpMs);
  for (const target of targets) target.rounds = [];
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const target of round % 2 === 0 ? targets : targets.toReversed()) {
      target.rounds.push(await measureOne(load, target, mysql, plan.ms));
    }
    process.stdout.write(`  round ${round + 1} of ${plan.rounds}\n`);
  }
  const ends = [];
  for (const target of targets) ends.push(await endTarget(target));
  load.stop();
  wechat.stop();
  return report(targets, ends, plan);
}

async function startTarget(count, mysql, wechat) {
  const database = await mysqlDatabase(mysql, `bench_workers_${count}`);
  const url = await wechat.order('url');
  const hub = await startHub(`hub-workers-${count}`, database.url, url, { WORKERS: String(count) });
  const until = performance.now() + LISTEN_LIMIT_MS;
  let hosts = [];
  while (hosts.length < count && performance.now() < until) {
    await delay(100);
    ({ hosts } = await ask(hub, 'GET', '/admin/instance'));
  }
  if (hosts.length !== count) throw new Error(`${hosts.length} of ${count} workers started`);
  await prime(hub, wechat);
  return { count, hub, database, pids: hosts.map(({ pid }) => pid), answers: 0, rounds: [] };
}

async function measureOne(load, target, mysql, ms) {
  const { hub, count } = target;
  await load.order('prepare', { kind: 'push', count: Math.ceil((PER_SECOND * ms) / 1000) });
  await delay(REST_MS);
  const request = { kind: 'push', port: hub.port, path: EVENTS_PATH, ms, expected: 'success' };
  const before = cpuOf(target, mysql);
  const startedAt = performance.now();
  const result = await load.order('run', { ...request, connections: CONNECTIONS });
  const elapsedMs = performance.now() - startedAt;
  const after = cpuOf(target, mysql);
  if (result.wrong > 0) throw new Error(`${count}: ${result.wrong} wrong: ${result.firstWrong}`);
  target.answers += result.answers;
  const used = Object.fromEntries(
    Object.keys(after).map((part) => [part, (after[part] - before[part]) / elapsedMs]),
  );
  return { ...result, cores: { ...used, load: result.generatorCpu } };
}

/** Milliseconds of processor time until now: of the primary, the hubs and the database server. */
function cpuOf({ count, hub, pids }, mysql) {
  const primary = count === 1 ? 0 : cpuMs(hub.server);
  const hubs = pids.reduce((sum, pid) => sum + processMs(pid), 0);
  return { primary, hubs, mysql: cpuMs(mysql.server) };
}

/** Whether all that was answered is stored, after an end as by a crash. */
async function endTarget({ count, hub, database, answers }) {
  await kill(hub.server);
  const [{ pushes }] = await database.query('SELECT COUNT(*) AS pushes FROM callback_event');
  await database.drop();
  // The ticket that the hub was primed with is one more.
  const sound = Number(pushes) === answers + 1;
  const stored = sound ? 'all stored' : '**NOT ALL STORED**';
  const text = `WORKERS=${count}: ${answers + 1} answered, ${pushes} in the database after SIGKILL: ${stored}; warnings and errors in the log: ${troubles(hub)}`;
  return { text, sound };
}

function report(targets, ends, { rounds, ms }) {
  const head = ['WORKERS', 'pushes/s', 'lowest–highest', 'p50 ms', 'p99 ms'];
  head.push('hubs', 'primary', 'database', 'generator', 'hubs µs/push', 'primary µs/push');
  const rows = targets.map(({ count, rounds: own }) => {
    const rates = own.map(({ perSecond }) => perSecond);
    const cores = (part) => median(own.map((round) => round.cores[part]));
    const micros = (part) =>
      whole(median(own.map(({ cores: used, perSecond }) => (used[part] * 1e6) / perSecond)));
    return [
      String(count),
      whole(median(rates)),
      `${whole(Math.min(...rates))}–${whole(Math.max(...rates))}`,
      number(median(own.map(({ p50 }) => p50))),
      number(median(own.map(({ p99 }) => p99))),
      ...['hubs', 'primary', 'mysql', 'load'].map((part) => cores(part).toFixed(2)),
      micros('hubs'),
      count === 1 ? '–' : micros('primary'),
    ];
  });
  const [one, two] = targets.map((target) => target.rounds);
  const ratio = median(two.map(({ perSecond }, round) => perSecond / one[round].perSecond));
  const text = [
    `${CONNECTIONS} connections, one push at a time on each; ${rounds} rounds of ${ms / 1000} s in ` +
      'turn after a warm-up; figures are medians. Columns without a unit are cores in use: of the ' +
      'hubs together, the primary that hands out connections, the database server and the load ' +
      'generator, all of which share the cores of this machine.',
    table([head, ...rows]),
    list([
      `two workers to one: ${ratio.toFixed(2)}× (median of the ratios within each round)`,
      ...ends.map((end) => end.text),
    ]),
  ].join('\n\n');
  const title = 'Ticket pushes by several workers, on MySQL';
  return { title, text, sound: ends.every(({ sound }) => sound) };
}
