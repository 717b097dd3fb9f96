import { setTimeout as delay } from 'node:timers/promises';
import { mysqlDatabase, sqliteDatabase } from '../lib/databases.mjs';
import { prime, startHub, subscribe } from '../lib/hub.mjs';
import { freePort, kill, residentMemory } from '../lib/processes.mjs';
import { goal, list, whole } from '../lib/results.mjs';
import { ADMIN_TOKEN, EVENTS_PATH, MESSAGES_PATH, TOKEN_PATH } from '../lib/settings.mjs';
import { Worker } from '../lib/worker.mjs';

/** In rounds: a push is made shortly before it is sent. The first ones warm up. */
const FULL = { rounds: 20, warmUp: 4, seconds: 15 };
const QUICK = { rounds: 6, warmUp: 2, seconds: 10 };
const REPLY = JSON.stringify({ MsgType: 'text', Content: 'a reply' });
/** By steady rate; the answers that each must have. */
const LOADS = [
  { kind: 'push', path: EVENTS_PATH, perSecond: 60, expected: 'success' },
  { kind: 'message', path: MESSAGES_PATH, perSecond: 40, expected: '<xml>' },
  { kind: 'read', path: TOKEN_PATH, perSecond: 100, expected: '{"component_access_token":' },
];
const AUTHORIZATIONS_PER_SECOND = 1;
const CONNECTIONS = 16;
const GROWTH_GOAL_MIB = 20;
const REST_GOAL_MIB = 150;
const PUSHES_BEFORE_REST = 13;
/** A hub looks twice a minute whether it rests, and the visit itself is no rest. */
const REST_MS = 90_000;
/** What a browser fetches for the API document, and what programs do. */
const VISIT = [
  '/docs',
  '/docs/swagger-ui.css',
  '/docs/swagger-ui-bundle.js',
  '/docs/swagger-ui-standalone-preset.js',
  '/docs/swagger-ui-init.js',
  '/docs/favicon-32x32.png',
  '/docs-json',
  '/docs-yaml',
];

/** Resident memory of a hub under a mixed load, and of one at rest. */
export async function measureMemory({ mysql, quick }) {
  const plan = quick ? QUICK : FULL;
  const wechat = new Worker('wechat.mjs');
  const responder = new Worker('target.mjs');
  await responder.order('behave', { body: REPLY });
  const world = { wechat, responder, plan };
  const atRest = await rest(wechat);
  // At once: what one database does to the other's times is not of interest here.
  const loaded = await Promise.all([
    underLoad(world, 'SQLite', sqliteDatabase()),
    underLoad(world, 'MySQL', await mysqlDatabase(mysql, 'bench_memory')),
  ]);
  wechat.stop();
  responder.stop();
  return { title: 'Memory of a hub', ...report(loaded, atRest, plan) };
}

async function underLoad({ wechat, responder, plan }, name, database) {
  const hub = await startHub(`hub-memory-${name}`, database.url, await wechat.order('url'));
  const started = residentMemory(hub.server);
  await prime(hub, wechat);
  await subscribe(hub, await responder.order('url'), { mode: 'responder' });
  const nobody = `http://127.0.0.1:${await freePort()}/`;
  await subscribe(hub, nobody, { name: 'Dead', mode: 'subscriber' });
  const loads = LOADS.map((load) => ({ ...load, worker: new Worker('load.mjs') }));
  const figures = [];
  for (let round = 1; round <= plan.rounds; round += 1) {
    await play({ hub, wechat, loads, seconds: plan.seconds });
    figures.push(residentMemory(hub.server));
  }
  for (const { worker } of loads) worker.stop();
  await kill(hub.server);
  await database.drop();
  const at = (rounds) => figures[rounds - 1];
  const [warm, middle, end] = [plan.warmUp, Math.ceil(plan.rounds / 2), plan.rounds].map(at);
  return {
    name,
    started,
    warm,
    middle,
    end,
    growth: Math.max(...figures.slice(plan.warmUp)) - warm,
  };
}

/** One round of everything at once. */
async function play({ hub: { port }, wechat, loads, seconds }) {
  const ms = seconds * 1000;
  await Promise.all(
    loads.map(({ worker, kind, perSecond }) =>
      worker.order('prepare', { kind, count: perSecond * seconds }),
    ),
  );
  await Promise.all([
    ...loads.map(({ worker, ...load }) =>
      worker.order('runAt', { ...load, port, ms, connections: CONNECTIONS, rotating: true }),
    ),
    wechat.order('authorize', {
      port,
      count: seconds * AUTHORIZATIONS_PER_SECOND,
      perSecond: AUTHORIZATIONS_PER_SECOND,
    }),
  ]);
}

/** A hub that got a few pushes and one visit to its API document. */
async function rest(wechat) {
  const database = sqliteDatabase();
  const hub = await startHub('hub-memory-rest', database.url, await wechat.order('url'));
  const started = residentMemory(hub.server);
  for (let push = 0; push < PUSHES_BEFORE_REST; push += 1) await prime(hub, wechat);
  for (const path of VISIT) {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const answer = await fetch(`http://127.0.0.1:${hub.port}${path}`, { headers });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    await answer.arrayBuffer();
  }
  const visited = residentMemory(hub.server);
  await delay(REST_MS);
  const rested = residentMemory(hub.server);
  await kill(hub.server);
  await database.drop();
  return { started, visited, rested };
}

function report(loaded, { started, visited, rested }, { rounds, warmUp, seconds }) {
  const limit = `${GROWTH_GOAL_MIB} MiB`;
  const minutes = (count) => `${Number(((count * seconds) / 60).toFixed(1))} min`;
  const rates = LOADS.map(({ kind, perSecond }) => `${perSecond} ${kind}`).join(', ');
  const figures = loaded.map(
    (one) =>
      `${one.name}: RSS ${whole(one.started)} MiB at the start, ${whole(one.warm)} after ` +
      `${minutes(warmUp)}, ${whole(one.middle)} in the middle, ${whole(one.end)} at the end`,
  );
  const goals = loaded.map(({ name, growth }) =>
    goal(
      `${name}: never more than ${limit} above what it was after ${minutes(warmUp)}`,
      growth <= GROWTH_GOAL_MIB,
      `${whole(growth)} MiB`,
    ),
  );
  const resting = goal(
    `at rest under ${REST_GOAL_MIB} MiB`,
    rested < REST_GOAL_MIB,
    `${whole(started)} MiB at the start, ${whole(visited)} after ${PUSHES_BEFORE_REST} pushes and ` +
      `a visit to all of \`/docs\`, ${whole(rested)} after ${REST_MS / 1000} s of rest`,
  );
  const text =
    `${minutes(rounds)} of mixed load on one hub for each database, per second: ${rates}, and ` +
    `${AUTHORIZATIONS_PER_SECOND} authorization, every other one withdrawn. A “message” is answered ` +
    'by a responder and also delivered to a target that refuses connections.';
  return { text: `${text}\n\n${list([...figures, ...goals, resting])}` };
}
