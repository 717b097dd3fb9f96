import { mysqlDatabase, sqliteDatabase } from '../lib/databases.mjs';
import { settle, startHub, subscribe } from '../lib/hub.mjs';
import { cpuMs, kill } from '../lib/processes.mjs';
import { goal, list, number, table, whole } from '../lib/results.mjs';
import { Worker } from '../lib/worker.mjs';

const ACCOUNTS = 100;
const THINKING_MS = 20;
const PER_SECOND = { thinking: 500, hanging: 300 };
const FULL = { warmUp: 3, thinking: 20, hanging: 10 };
const QUICK = { warmUp: 1, thinking: 5, hanging: 3 };
const REPLY = JSON.stringify({ MsgType: 'text', Content: 'a reply' });
const ANSWER_GOAL_MS = 100;
const WECHAT_WAITS_MS = 5000;

/**
 * How soon WeChat has its answer where a responder is asked: one that takes 20 ms, and one that
 * never answers. WeChat decrypts and checks every reply.
 */
export async function measureAnswers({ mysql, quick }) {
  const seconds = quick ? QUICK : FULL;
  const wechat = new Worker('wechat.mjs');
  const responder = new Worker('target.mjs');
  await wechat.order('addAccounts', { count: ACCOUNTS });
  const rows = [];
  for (const [name, database] of [
    ['hub, SQLite', sqliteDatabase()],
    ['hub, MySQL', await mysqlDatabase(mysql, 'bench_answers')],
  ]) {
    const hub = await startHub(
      `hub-answers-${name.slice('hub, '.length)}`,
      database.url,
      await wechat.order('url'),
      // All of WeChat is one address here, which may have 1,000 connections unless it is a proxy's.
      { TRUSTED_PROXIES: '127.0.0.1' },
    );
    rows.push({ name, ...(await measureHub({ wechat, responder, seconds }, hub)) });
    await kill(hub.server);
    await database.drop();
  }
  wechat.stop();
  responder.stop();
  return { title: 'Answer to WeChat with a responder', text: textOf(rows, seconds) };
}

async function measureHub({ wechat, responder, seconds }, hub) {
  await settle(hub, wechat, ACCOUNTS);
  const { secret } = await subscribe(hub, await responder.order('url'), { mode: 'responder' });
  await responder.order('verify', { secret });
  const send = async (perSecond, duration) => {
    const before = cpuMs(hub.server);
    await wechat.order('load', { port: hub.port, perSecond, count: perSecond * duration });
    const report = await wechat.order('end');
    return { ...report, cpuMicros: ((cpuMs(hub.server) - before) * 1000) / report.sent };
  };
  await responder.order('behave', { delayMs: THINKING_MS, body: REPLY, hang: false });
  await send(PER_SECOND.thinking, seconds.warmUp);
  const thinking = await send(PER_SECOND.thinking, seconds.thinking);
  await responder.order('behave', { hang: true });
  const hanging = await send(PER_SECOND.hanging, seconds.hanging);
  return { thinking, hanging };
}

function textOf(rows, seconds) {
  const head = ['p50 ms', 'p99 ms', 'max ms', 'CPU µs/message', 'sent late p99 ms'];
  const goals = rows.flatMap(({ name, thinking: { sent, latency, outcomes }, hanging: hung }) => [
    goal(
      `${name}: p99 under ${ANSWER_GOAL_MS} ms`,
      latency.p99 < ANSWER_GOAL_MS && outcomes.reply === sent,
      `${number(latency.p99)} ms`,
    ),
    goal(
      `${name}: responder hanging, all answered within 5 s`,
      hung.outcomes.success === hung.sent && hung.latency.max < WECHAT_WAITS_MS,
      `${shareOf(hung, 'success')}, ${whole(hung.latency.max)} ms at most`,
    ),
  ]);
  return [
    `One hub. A responder that answers after ${THINKING_MS} ms: ${PER_SECOND.thinking} messages a ` +
      `second for ${seconds.thinking} s after a warm-up, sent when they are due; WeChat decrypts ` +
      'and checks every reply.',
    table([
      ['', 'replies', ...head],
      ...rows.map((row) => cellsOf(row.name, row.thinking, 'reply')),
    ]),
    `A responder that never answers: ${PER_SECOND.hanging} messages a second for ${seconds.hanging} s, ` +
      'as by a trusted proxy: 1,350 connections wait at once.',
    table([
      ['', 'answered `success`', ...head],
      ...rows.map((row) => cellsOf(row.name, row.hanging, 'success')),
    ]),
    list(goals),
  ].join('\n\n');
}

function shareOf({ outcomes, sent }, outcome) {
  return `${whole(outcomes[outcome] ?? 0)} of ${whole(sent)}`;
}

function cellsOf(name, load, outcome) {
  const { latency, lateness, cpuMicros } = load;
  const times = [latency.p50, latency.p99, latency.max].map(number);
  return [name, shareOf(load, outcome), ...times, whole(cpuMicros), number(lateness.p99)];
}
