/**
 * `npm run bench -- authorizers`: how the hub keeps the tokens of many accounts alive, on a
 * throw-away MySQL. `--quick` is a short run that keeps no figures.
 */
import { writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { runBounded } from '../lib/bounded.mjs';
import { describeMachine } from '../lib/machine.mjs';
import { startMysql } from '../lib/mysql.mjs';
import { projectFile } from '../lib/settings.mjs';
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

const quick = process.argv.includes('--quick');
const settings = quick ? QUICK : FULL;
const started = performance.now();
await runBounded(settings.limitMs, async () => {
  const results = await bench(settings);
  const seconds = (performance.now() - started) / 1000;
  const result = report({ ...results, seconds });
  if (!quick) await keep(result.text, results.ticks);
  return result;
});
