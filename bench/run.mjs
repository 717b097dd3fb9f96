/**
 * `npm run bench`: the hub beside a bare server that does the same work without a database, and
 * beside other receivers, in one run on loopback. `--quick` is a short run that keeps no figures.
 * `npm run bench -- authorizers` and `-- messages` are other benchmarks: see their `main.mjs`.
 */
import { connect } from 'node:net';
import { WechatSimulator } from '../dist/simulator/wechat-simulator.js';
import { runBounded } from './lib/bounded.mjs';
import { Hub, mysqlDatabase, sqliteDatabase } from './lib/hub.mjs';
import { keep } from './lib/keep.mjs';
import { LoadClient } from './lib/load-client.mjs';
import { describeMachine } from './lib/machine.mjs';
import { measure, measureInTurn } from './lib/measure.mjs';
import { startMysql } from './lib/mysql.mjs';
import { freePort, start, untilReady } from './lib/processes.mjs';
import { report } from './lib/report.mjs';
import { COMPONENT, plan, projectFile } from './lib/settings.mjs';

/** A run that takes longer hangs. */
const LIMIT_MS = 240_000;
/** Pushes for the ceiling of the load generator; fewer than fit, its measurement just ends sooner. */
const CEILING_PUSHES = 40_000;

/** Starts one of the servers beside the hub. */
async function startServer(name, file, env = {}) {
  const port = await freePort();
  const args = [projectFile(`bench/servers/${file}`)];
  const options = { name: file, file: process.execPath, args, env: { PORT: String(port), ...env } };
  const server = start(options);
  await untilReady(server, () => canConnect(port));
  return { name, server, port };
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('close', () => resolve(false)).on('connect', () => socket.destroy());
  });
}

/** The hubs of this machine, each with its database. */
async function startHubs(mysql, wechat) {
  const databases = [['hub, SQLite', 'hub-sqlite', sqliteDatabase()]];
  if (mysql) databases.push(['hub, MySQL', 'hub-mysql', mysqlDatabase(mysql)]);
  const hubs = [];
  for (const [name, file, database] of databases) {
    hubs.push({ name, hub: await Hub.start(file, database, wechat) });
  }
  return hubs;
}

function hubTarget({ name, hub }, expected) {
  return { name, hub, server: hub.server, port: hub.port, expected };
}

/** (a) a ticket push: verified, decrypted, stored. */
async function measurePushes(load, hubs, settings) {
  const expected = 'success';
  const ours = hubs.map((entry) => ({
    ...hubTarget(entry, expected),
    onAnswers: (count) => (entry.hub.answered += count),
  }));
  const floor = await startServer('floor: node:http, same crypto, no database', 'floor-push.mjs');
  const nestWechat = await startServer('nest-wechat 0.2.50, in memory', 'nest-wechat.mjs');
  const crypto = await startServer('wechat-crypto 0.0.2, in memory', 'wechat-crypto.mjs');
  const others = [floor, nestWechat, crypto].map((server) => ({ ...server, expected }));
  const what = { kind: 'push', targets: [...ours, ...others], ms: settings.pushMs };
  const rounds = await measureInTurn(load, what, settings);
  return { rounds, ours, floor: others[0], nestWechat: others[1] };
}

/** (b) a token read with authentication. */
async function measureReads(load, hubs, settings) {
  const begin = (token) => `{"component_access_token":"${token}","expires_in":`;
  const ours = hubs.map((entry) => hubTarget(entry, begin(entry.hub.token)));
  const token = hubs[0].hub.token;
  const name = 'floor: node:http, hash compared, from memory';
  const floor = await startServer(name, 'floor-token.mjs', { TOKEN: token });
  const target = { ...floor, expected: begin(token) };
  const what = { kind: 'read', targets: [...ours, target], ms: settings.readMs };
  return { rounds: await measureInTurn(load, what, settings), ours, floor: target };
}

/** What the load generator can do at most. */
async function measureCeiling(load, { ceilingMs }) {
  const server = await startServer('nothing', 'trivial.mjs');
  const target = { ...server, expected: 'success' };
  await load.preparePushes(CEILING_PUSHES);
  const push = await measure(load, target, 'push', ceilingMs);
  const read = await measure(load, target, 'read', ceilingMs);
  return { push, read };
}

async function bench(settings) {
  const machine = describeMachine();
  const load = new LoadClient();
  const wechat = await WechatSimulator.start({ components: [COMPONENT] });
  const mysql = await startMysql();
  if (!mysql) console.log('No mariadbd or mysqld on this machine: the MySQL half is skipped');
  try {
    console.log('Ceiling of the load generator');
    const ceiling = await measureCeiling(load, settings);
    const hubs = await startHubs(mysql, wechat);
    console.log('(a) ticket pushes');
    const pushes = await measurePushes(load, hubs, settings);
    console.log('(b) token reads');
    const reads = await measureReads(load, hubs, settings);
    console.log('Ending the hubs, counting what they stored');
    const stored = [];
    for (const { name, hub } of hubs) stored.push({ name, ...(await hub.proveStored()) });
    const durability = await mysql?.durability();
    return { machine, settings, ceiling, pushes, reads, stored, durability };
  } finally {
    load.stop();
    await wechat.stop();
  }
}

/** The run that `bench/results.md` tells of. */
async function run(args) {
  const settings = plan(args);
  const started = performance.now();
  await runBounded(LIMIT_MS, async () => {
    const results = await bench(settings);
    const seconds = Math.round((performance.now() - started) / 1000);
    const result = report({ ...results, seconds });
    if (!settings.quick) await keep(result.text);
    return result;
  });
}

const [which, ...args] = process.argv.slice(2);
if (which === 'authorizers') await import('./authorizers/main.mjs');
else if (which === 'messages') await import('./messages/main.mjs');
else await run(which === undefined ? [] : [which, ...args]);
