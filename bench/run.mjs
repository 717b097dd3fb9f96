/**
 * `npm run bench -- [--quick] [--node <path>] [part …]`: each part measures the hub as it runs in
 * production, on loopback, and writes its section of `bench/results.md`. Without a part: those
 * beside peers. `--quick` shows in a short run that everything works; its figures are not kept.
 * `--node` runs everything, floors and peers too, on another Node, such as the image's.
 */
import { spawnSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { startMysql } from './lib/databases.mjs';
import { cleanUp } from './lib/processes.mjs';
import { keep } from './lib/results.mjs';
import { measureAnswers } from './parts/answers.mjs';
import { measureKnee } from './parts/knee.mjs';
import { measureLossless } from './parts/lossless.mjs';
import { measureMemory } from './parts/memory.mjs';
import {
  measureCalls,
  measureDelivered,
  measureMessages,
  measurePushes,
  measureReads,
} from './parts/receive.mjs';
import { measureRefreshes } from './parts/refreshes.mjs';
import { measureSchedule } from './parts/schedule.mjs';
import { measureSizes } from './parts/sizes.mjs';
import { measureStart } from './parts/start.mjs';
import { measureTicks } from './parts/ticks.mjs';
import { measureWorkers } from './parts/workers.mjs';

const PEERS = { pushes: measurePushes, reads: measureReads, messages: measureMessages };
const PARTS = {
  ...PEERS,
  calls: measureCalls,
  answers: measureAnswers,
  delivered: measureDelivered,
  knee: measureKnee,
  lossless: measureLossless,
  memory: measureMemory,
  refreshes: measureRefreshes,
  schedule: measureSchedule,
  sizes: measureSizes,
  start: measureStart,
  ticks: measureTicks,
  workers: measureWorkers,
};
/** A part that takes longer hangs. */
const LIMIT_MS = 900_000;

const {
  values: { quick, node },
  positionals: named,
} = parseArgs({
  options: { quick: { type: 'boolean', default: false }, node: { type: 'string' } },
  allowPositionals: true,
});
if (node !== undefined) {
  const args = [import.meta.filename, ...(quick ? ['--quick'] : []), ...named];
  const { status, error } = spawnSync(node, args, { stdio: 'inherit' });
  if (error) console.error(`--node: ${error.message}`);
  process.exit(status ?? 1);
}
const unknown = named.find((name) => !Object.hasOwn(PARTS, name));

function fail(error) {
  // Without its fields: an error of the database driver repeats the whole statement.
  console.error(error.stack.slice(0, 2000));
  cleanUp();
  process.exit(1);
}

/** Prints and keeps what a part gives; whether everything holds that must. */
async function run(name, mysql) {
  const limit = setTimeout(() => fail(new Error(`${name} took too long`)), LIMIT_MS);
  const load = loadavg()[0].toFixed(2);
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  console.log(`${name}, at load average ${load}`);
  const { title, text, sound = true } = await PARTS[name]({ mysql, quick });
  const section = `## ${title}\n\n${date} UTC, Node ${process.version}, load average ${load} before. ${text}`;
  console.log(`\n${section}\n`);
  if (!quick) await keep(section, mysql);
  clearTimeout(limit);
  return sound;
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => fail(new Error(signal)));
try {
  if (unknown) throw new Error(`No part ${unknown}; there are ${Object.keys(PARTS).join(', ')}`);
  const mysql = await startMysql();
  let sound = true;
  for (const name of named.length > 0 ? named : Object.keys(PEERS)) {
    sound = (await run(name, mysql)) && sound;
  }
  if (!sound) throw new Error('Not everything holds that must');
  cleanUp();
  process.exit(0);
} catch (error) {
  fail(error);
}
