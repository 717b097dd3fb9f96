import { setTimeout as delay } from 'node:timers/promises';
import { mysqlDatabase } from '../lib/databases.mjs';
import { ask, prime, startHub } from '../lib/hub.mjs';
import { cpuMs, processMs } from '../lib/processes.mjs';
import { list, median, number, table, whole } from '../lib/results.mjs';
import { inTurn, planOf, proveStored } from '../lib/rounds.mjs';
import { EVENTS_PATH } from '../lib/settings.mjs';
import { Worker } from '../lib/worker.mjs';

const KIND = 'push';
const CONNECTIONS = 32;
const COUNTS = [1, 2];
const LISTEN_LIMIT_MS = 30_000;

/** Ticket pushes on MySQL by one process and by two workers, with the processor time of each part. */
export async function measureWorkers({ mysql, quick }) {
  const plan = planOf(quick);
  const load = new Worker('load.mjs');
  const wechat = new Worker('wechat.mjs');
  const targets = [];
  for (const count of COUNTS) targets.push(await startTarget(count, mysql, wechat));
  const rounds = await inTurn(load, { kind: KIND, connections: CONNECTIONS }, targets, plan);
  const ends = [];
  for (const target of targets) ends.push(await proveStored(target, KIND));
  load.stop();
  wechat.stop();
  return report(rounds, ends, plan);
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
  const pids = hosts.map(({ pid }) => pid);
  const cpu = () => cpuOf({ count, hub, pids }, mysql);
  const { port } = hub;
  return {
    name: `WORKERS=${count}`,
    count,
    hub,
    database,
    cpu,
    port,
    path: EVENTS_PATH,
    answers: 0,
  };
}

/** Milliseconds of processor time until now: of the primary, the hubs and the database server. */
function cpuOf({ count, hub, pids }, mysql) {
  const primary = count === 1 ? 0 : cpuMs(hub.server);
  const hubs = pids.reduce((sum, pid) => sum + processMs(pid), 0);
  return { primary, hubs, mysql: cpuMs(mysql.server) };
}

function report(results, ends, { rounds, ms }) {
  const head = ['WORKERS', 'pushes/s', 'lowest–highest', 'p50 ms', 'p99 ms'];
  head.push('hubs', 'primary', 'database', 'generator', 'hubs µs/push', 'primary µs/push');
  const rows = [...results].map(([{ count }, own]) => {
    const rates = own.map(({ perSecond }) => perSecond);
    const cores = (part) => median(own.map((round) => round.cores[part]));
    const micros = (part) => whole(median(own.map((round) => round.micros[part])));
    return [
      String(count),
      whole(median(rates)),
      `${whole(Math.min(...rates))}–${whole(Math.max(...rates))}`,
      number(median(own.map(({ p50 }) => p50))),
      number(median(own.map(({ p99 }) => p99))),
      ...['hubs', 'primary', 'mysql'].map((part) => cores(part).toFixed(2)),
      median(own.map(({ generatorCpu }) => generatorCpu)).toFixed(2),
      micros('hubs'),
      count === 1 ? '–' : micros('primary'),
    ];
  });
  const [one, two] = results.values();
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
