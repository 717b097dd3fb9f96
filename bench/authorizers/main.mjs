/**
 * `npm run bench -- authorizers`: how the hub keeps the tokens of many accounts alive, on a
 * throw-away MySQL. `--quick` is a short run that keeps no figures.
 */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describeMachine } from '../lib/machine.mjs';
import { startMysql } from '../lib/mysql.mjs';
import { killAll } from '../lib/processes.mjs';
import { dataFolder, projectFile } from '../lib/settings.mjs';
import { measureLife } from './life.mjs';
import { measureRate } from './rate.mjs';
import { picture, report } from './report.mjs';
import { measureTicks } from './ticks.mjs';

const FULL = {
  answerMs: 50,
  rateAccounts: 15_000,
  bareAccounts: 5000,
  accounts: 100_000,
  lifeMs: 600_000,
  sizes: [1000, 10_000, 100_000, 1_000_000],
  turns: 41,
  dueTurns: 9,
  limitMs: 1_800_000,
};
const QUICK = {
  ...FULL,
  rateAccounts: 4000,
  bareAccounts: 2000,
  accounts: 4000,
  lifeMs: 90_000,
  sizes: [1000, 10_000, 50_000],
  turns: 15,
  dueTurns: 3,
  limitMs: 420_000,
};

async function bench(settings) {
  const machine = describeMachine();
  const mysql = await startMysql();
  if (!mysql) throw new Error('No mariadbd or mysqld on this machine');
  const world = { mysql, settings };
  console.log('(b) refreshes per second of one hub');
  const rate = await measureRate(world);
  console.log('(c) turns of the timers');
  const ticks = await measureTicks(world);
  console.log('(a) a life of many accounts');
  const life = await measureLife(world);
  return { machine, settings, rate, ticks, life, durability: await mysql.durability() };
}

/** Writes the results as the project's format check wants them. */
async function keep(text, ticks) {
  const file = projectFile('bench/results-authorizers.md');
  const options = await resolveConfig(file);
  writeFileSync(file, await format(text, { ...options, filepath: file }));
  writeFileSync(projectFile('bench/results-authorizers.svg'), picture(ticks));
}

function cleanUp() {
  killAll();
  for (const name of readdirSync(dataFolder())) {
    if (!name.endsWith('.log')) rmSync(join(dataFolder(), name), { recursive: true, force: true });
  }
}

function fail(error) {
  // Without its fields: an error of the database driver repeats the whole statement.
  console.error(error.stack.slice(0, 2000));
  cleanUp();
  process.exit(1);
}

const quick = process.argv.includes('--quick');
const settings = quick ? QUICK : FULL;
const started = performance.now();
setTimeout(() => fail(new Error('The benchmark took too long')), settings.limitMs).unref();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => fail(new Error(signal)));
try {
  const results = await bench(settings);
  const seconds = (performance.now() - started) / 1000;
  const { text, sound } = report({ ...results, seconds });
  console.log(`\n${text}`);
  if (!quick) await keep(text, results.ticks);
  if (!sound) throw new Error('Not everything holds that must');
  cleanUp();
} catch (error) {
  fail(error);
}
