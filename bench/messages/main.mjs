/**
 * `npm run bench -- messages`: messages from WeChat to the services, through hubs on SQLite and on
 * a throw-away MySQL. `--quick` is a short run that keeps no figures; the letters of parts
 * (`a b c`) have only these run.
 */
import { loadavg } from 'node:os';
import { runBounded } from '../lib/bounded.mjs';
import { keep } from '../lib/keep.mjs';
import { describeMachine } from '../lib/machine.mjs';
import { startMysql } from '../lib/mysql.mjs';
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

const args = process.argv.slice(3);
const quick = args.includes('--quick');
const wanted = args.filter((arg) => /^[abc]$/.test(arg));
const settings = quick ? QUICK : FULL;
await runBounded(settings.limitMs, async () => {
  const results = await bench(settings, wanted.length > 0 ? wanted : ['a', 'b', 'c']);
  const result = report(results);
  if (!quick) await keep(result.text, { sections: wanted.length > 0 });
  return result;
});
