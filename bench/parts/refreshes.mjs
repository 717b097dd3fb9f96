import { setTimeout as delay } from 'node:timers/promises';
import { mysqlDatabase, withoutSync } from '../lib/databases.mjs';
import { prime, startHub } from '../lib/hub.mjs';
import { cpuMs, kill, peakMemory } from '../lib/processes.mjs';
import { goal, list, number, whole } from '../lib/results.mjs';
import { insertRows, rowOf, withoutResync } from '../lib/rows.mjs';
import { Worker } from '../lib/worker.mjs';

const LIMIT_MS = 240_000;
const POLL_MS = 100;
const PAGE = 500;
const ANSWER_MS = 50;
const RATE_GOAL = 300;
const MEMORY_GOAL_MIB = 300;
/** The rate is taken between these shares of the calls: neither the start nor the end counts. */
const FROM = 0.1;
const TO = 0.95;

/** How many refreshes one hub sustains: everything is due at once, one process works it off. */
export async function measureRefreshes({ mysql, quick }) {
  const count = quick ? 4000 : 15_000;
  const wechat = new Worker('wechat.mjs');
  const database = await mysqlDatabase(mysql, 'bench_refreshes');
  const hub = await startHub('hub-refreshes', database.url, await wechat.order('url'));
  await prime(hub, wechat);
  await withoutResync(database);
  await wechat.order('addAccounts', { count, prefix: 'wxrate' });
  await withoutSync(mysql, () => insertRows(database.url, dueLater(wechat, count)));
  await wechat.order('answerIn', { delayMs: ANSWER_MS });
  const result = await drain({ mysql, wechat, hub, database, count });
  await kill(hub.server);
  wechat.stop();
  await database.drop();
  return { title: "Refreshes of accounts' tokens by one hub", text: textOf(result) };
}

/** The hub's timer must not begin before all are there. */
async function* dueLater(wechat, count) {
  for (let offset = 0; offset < count; offset += PAGE) {
    for (const tokens of await wechat.order('issue', { offset, count: PAGE })) {
      yield rowOf(tokens, { expiresAt: tokens.expiresAtMs, refreshAt: tokens.expiresAtMs });
    }
  }
}

async function drain({ mysql, wechat, hub, database, count }) {
  await database.query('UPDATE authorizer SET refresh_at = ?', [Date.now() - 1000]);
  const servers = { hub: hub.server, mysql: mysql.server };
  const first = await reached(wechat, count * FROM, servers);
  const last = await reached(wechat, count * TO, servers);
  const seconds = (last.at - first.at) / 1000;
  const calls = last.calls - first.calls;
  const micros = (name) => ((last.cpu[name] - first.cpu[name]) * 1000) / calls;
  await reached(wechat, count, servers);
  await settled(database);
  return {
    count,
    perSecond: calls / seconds,
    cpuMicros: { hub: micros('hub'), mysql: micros('mysql') },
    calls: await wechat.order('refreshes'),
    peak: peakMemory(hub.server),
  };
}

/** Waits until so many calls have arrived; when that was, and the processor time used by then. */
async function reached(wechat, wanted, servers) {
  const until = performance.now() + LIMIT_MS;
  for (;;) {
    const arrived = await wechat.order('refreshes');
    if (arrived >= wanted) {
      const cpu = Object.fromEntries(Object.entries(servers).map(([k, s]) => [k, cpuMs(s)]));
      return { at: performance.now(), calls: arrived, cpu };
    }
    if (performance.now() > until) throw new Error(`Only ${arrived} of ${wanted} refreshes`);
    await delay(POLL_MS);
  }
}

async function settled(database) {
  const until = performance.now() + 20_000;
  while (performance.now() < until) {
    const [{ left }] = await database.query(
      'SELECT COUNT(*) AS `left` FROM authorizer WHERE generation = 1',
    );
    if (Number(left) === 0) return;
    await delay(POLL_MS);
  }
  throw new Error('Not all tokens are saved');
}

function textOf({ count, calls, perSecond, cpuMicros, peak }) {
  const busy = Math.round((perSecond * cpuMicros.hub) / 1e4);
  const lines = [
    goal(`at least ${RATE_GOAL} per second`, perSecond >= RATE_GOAL, number(perSecond)),
    goal(`under ${MEMORY_GOAL_MIB} MiB`, peak < MEMORY_GOAL_MIB, `${whole(peak)} MiB at most`),
    `${whole(calls)} calls; per refresh ${whole(cpuMicros.hub)} µs of the hub's CPU (${busy} % of a ` +
      `core) and ${whole(cpuMicros.mysql)} µs of MySQL's, on the same cores`,
  ];
  const due = `${whole(count)} accounts due at once; WeChat answers after ${ANSWER_MS} ms.`;
  return `${due}\n\n${list(lines)}`;
}
