/**
 * `npm run bench -- messages`: messages from WeChat to the services, through hubs on SQLite and on
 * a throw-away MySQL. `--quick` is a short run that keeps no figures; the letters of parts
 * (`a b c`) have only these run.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { loadavg } from 'node:os';
import { keep } from '../lib/keep.mjs';
import { describeMachine } from '../lib/machine.mjs';
import { startMysql } from '../lib/mysql.mjs';
import { killAll } from '../lib/processes.mjs';
import { dataFolder } from '../lib/settings.mjs';
import { measureAnswers } from './answers.mjs';
import { measureLossless } from './lossless.mjs';
import { measureRate } from './rate.mjs';
import { report } from './report.mjs';

const FULL = {
  messages: 100_000,
  perSecond: 400,
  /** Until every process knows of a new subscription. */
  noticeMs: 11_000,
  answerSeconds: 20,
  answersPerSecond: 500,
  hangSeconds: 10,
  hangPerSecond: 300,
  warmUpMs: 3000,
  rounds: 5,
  roundMs: 2000,
  limitMs: 900_000,
};
const QUICK = {
  ...FULL,
  messages: 10_000,
  answerSeconds: 5,
  hangSeconds: 3,
  warmUpMs: 1000,
  rounds: 3,
  roundMs: 1000,
  limitMs: 300_000,
};

async function bench(settings, wanted) {
  const machine = describeMachine();
  const mysql = await startMysql();
  if (!mysql) throw new Error('No mariadbd or mysqld on this machine');
  settings.cores = machine.cores;
  const world = { mysql, settings };
  const parts = {
    a: ['(a) nothing is lost', 'lossless', measureLossless],
    b: ['(b) answers in time', 'answers', measureAnswers],
    c: ['(c) receive rate', 'rate', measureRate],
  };
  const results = { machine, settings };
  for (const letter of wanted) {
    const [title, name, work] = parts[letter];
    const loadBefore = loadavg()[0];
    const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
    console.log(`${title}; load average ${loadBefore.toFixed(2)}`);
    results[name] = { ...(await work(world)), loadBefore, date };
  }
  return { ...results, durability: await mysql.durability() };
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

const args = process.argv.slice(3);
const quick = args.includes('--quick');
const wanted = args.filter((arg) => /^[abc]$/.test(arg));
const settings = quick ? QUICK : FULL;
setTimeout(() => fail(new Error('The benchmark took too long')), settings.limitMs).unref();
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => fail(new Error(signal)));
try {
  const results = await bench(settings, wanted.length > 0 ? wanted : ['a', 'b', 'c']);
  const { text, sound } = report(results);
  console.log(`\n${text}`);
  if (!quick) await keep(text, { sections: wanted.length > 0 });
  if (!sound) throw new Error('Not everything holds that must');
  cleanUp();
} catch (error) {
  fail(error);
}
