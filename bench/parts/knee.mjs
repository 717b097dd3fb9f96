import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { mysqlDatabase, sqliteDatabase } from '../lib/databases.mjs';
import { lineCharts } from '../lib/chart.mjs';
import { prime, startHub } from '../lib/hub.mjs';
import { kill } from '../lib/processes.mjs';
import { goal, list, number, table, whole } from '../lib/results.mjs';
import { EVENTS_PATH, projectFile } from '../lib/settings.mjs';
import { Worker } from '../lib/worker.mjs';

/** Ticket pushes a second: from little to more than any hub answers. */
const OFFERED = [
  100, 500, 1000, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 7000, 8000, 10_000, 12_000, 16_000,
];
/** A hub that answers less of what is offered than this is saturated. */
const KEPT_UP = 0.97;
const SHARE = 0.7;
const P99_GOAL_MS = 25;
const REST_MS = 500;
const WARM_UP = { perSecond: 500, ms: 3000 };
const PICTURE = 'docs/images/knee.svg';

/** Ticket pushes at growing rates until the hub no longer keeps up. */
export async function measureKnee({ mysql, quick }) {
  const ms = quick ? 500 : 4000;
  const load = new Worker('load.mjs');
  const wechat = new Worker('wechat.mjs');
  const results = [];
  for (const [name, open] of [
    ['SQLite', sqliteDatabase],
    ['MySQL', () => mysqlDatabase(mysql, 'bench_knee')],
  ]) {
    const database = await open();
    const hub = await startHub(`hub-knee-${name}`, database.url, await wechat.order('url'));
    await prime(hub, wechat);
    await at(load, hub, WARM_UP.perSecond, quick ? ms : WARM_UP.ms);
    results.push({ name, ...(await climb(load, hub, ms)) });
    await kill(hub.server);
    await database.drop();
  }
  load.stop();
  wechat.stop();
  if (!quick) writeFileSync(projectFile(PICTURE), picture(results));
  return { title: 'Ticket pushes by offered load', text: textOf(results, ms) };
}

async function climb(load, hub, ms) {
  const steps = [];
  for (const perSecond of OFFERED) {
    const step = { offered: perSecond, ...(await at(load, hub, perSecond, ms)) };
    steps.push(step);
    if (step.perSecond < KEPT_UP * perSecond) break;
  }
  const saturation = Math.max(...steps.map((step) => step.perSecond));
  const calm = await at(load, hub, Math.round(SHARE * saturation), ms);
  return { steps, saturation, calm };
}

async function at(load, { port }, perSecond, ms) {
  await load.order('prepare', { kind: 'push', count: Math.ceil((perSecond * ms) / 1000) });
  await delay(REST_MS);
  return load.order('runAt', {
    kind: 'push',
    port,
    path: EVENTS_PATH,
    ms,
    expected: 'success',
    perSecond,
  });
}

function textOf(results, ms) {
  const rows = results.flatMap(({ name, steps }) =>
    steps.map(({ offered, perSecond, p50, p99 }) => {
      return [name, whole(offered), whole(perSecond), number(p50), number(p99)];
    }),
  );
  const goals = results.map(({ name, saturation, calm }) => {
    const wanted = `hub, ${name}: p99 under ${P99_GOAL_MS} ms at ${SHARE * 100} % of saturation`;
    const seen = `${number(calm.p99)} ms at ${whole(SHARE * saturation)} of ${whole(saturation)} a second`;
    return goal(wanted, calm.p99 < P99_GOAL_MS, seen);
  });
  return [
    `Each rate for ${ms / 1000} s, offered whether the hub keeps up or not; a push is timed from when ` +
      'it was due. Load generator, WeChat and database share the cores.',
    list(goals),
    table([['database', 'offered a second', 'answered', 'p50 ms', 'p99 ms'], ...rows]),
    `![p50 and p99 by offered load](../${PICTURE})`,
  ].join('\n\n');
}

function picture(results) {
  return lineCharts(
    results.map(({ name, steps }) => ({
      title: `Ticket pushes, ${name}`,
      x: 'offered a second',
      y: 'milliseconds until the answer',
      series: ['p50', 'p99'].map((field) => ({
        name: field,
        points: steps.map((step) => [step.offered, step[field]]),
      })),
    })),
  );
}
