import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HUB_FLAGS, hubEnvironment } from '../lib/hub.mjs';
import { cpuMs, freePort, kill, residentMemory, start } from '../lib/processes.mjs';
import { goal, list, median, number, table, whole } from '../lib/results.mjs';
import { dataFolder, projectFile } from '../lib/settings.mjs';

const ROUNDS = { full: 9, quick: 2 };
const RATIO_GOAL = 1.3;
const POLL_MS = 3;
const LIMIT_MS = 60_000;
/** Until what a start leaves behind is collected, in milliseconds. */
const REST_MS = 1500;
const SERVERS = [
  { name: 'hub', id: 'start-hub', flags: HUB_FLAGS, file: 'dist/main.js' },
  {
    name: 'floor: bare Nest, Fastify, TypeORM',
    id: 'start-floor',
    flags: [],
    file: 'bench/servers/bare-nest.mjs',
  },
];

/**
 * From the start of the process to the first 200 of `/health/ready`: the hub and a bare application
 * of the same libraries, in turns.
 */
export async function measureStart({ quick }) {
  const rounds = quick ? ROUNDS.quick : ROUNDS.full;
  const rows = SERVERS.map((server) => ({ ...server, starts: [] }));
  // A round first that is not counted: it makes the databases.
  for (let round = 0; round <= rounds; round += 1) {
    for (const row of rows) {
      const measured = await startOnce(row);
      if (round > 0) row.starts.push(measured);
    }
  }
  for (const { id } of rows) {
    for (const suffix of ['', '-wal', '-shm']) rmSync(databaseOf(id) + suffix, { force: true });
  }
  return { title: 'Start to ready', text: textOf(rows, rounds) };
}

async function startOnce({ id, flags, file }) {
  const port = await freePort();
  const env = hubEnvironment(port, `sqlite:${databaseOf(id)}`, 'http://127.0.0.1:1');
  const begun = performance.now();
  const server = start({
    name: id,
    file: process.execPath,
    args: [...flags, projectFile(file)],
    env,
  });
  while (!(await isReady(port))) {
    if (server.child.exitCode !== null || performance.now() - begun > LIMIT_MS) {
      throw new Error(`${file} did not start: ${server.log}`);
    }
    await delay(POLL_MS);
  }
  const ms = performance.now() - begun;
  const cpu = cpuMs(server);
  await delay(REST_MS);
  const memory = residentMemory(server);
  await kill(server);
  return { ms, cpu, memory };
}

function databaseOf(id) {
  return join(dataFolder(), `${id}.sqlite`);
}

function isReady(port) {
  return fetch(`http://127.0.0.1:${port}/health/ready`).then(
    ({ status }) => status === 200,
    () => false,
  );
}

function textOf(rows, rounds) {
  const floor = rows.at(-1);
  const ratio = ({ starts }) => median(starts.map(({ ms }, at) => ms / floor.starts[at].ms));
  const cells = rows.map((row) => {
    const of = (key) => row.starts.map((one) => one[key]);
    const range = [Math.min(...of('ms')), Math.max(...of('ms'))].map(whole).join('–');
    const figures = ['ms', 'cpu', 'memory'].map((key) => whole(median(of(key))));
    return [row.name, figures[0], range, `${ratio(row).toFixed(2)}×`, ...figures.slice(1)];
  });
  const head = ['server', 'ms', 'lowest–highest', 'to floor', 'CPU ms', 'MiB at rest'];
  const [hub] = rows.map(ratio);
  return [
    `From the start of the process to the first 200 of \`/health/ready\`, on SQLite with the schema ` +
      `up to date; ${rounds} starts of each in turn after one that is not counted; figures are ` +
      'medians, the ratio is the median of the ratios within each round.',
    table([head, ...cells]),
    list([
      goal(`hub: at most ${RATIO_GOAL} times the floor`, hub <= RATIO_GOAL, `${number(hub)}×`),
    ]),
  ].join('\n\n');
}
