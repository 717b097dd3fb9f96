import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { newDatabase } from '../authorizers/mysql-world.mjs';
import { sqliteDatabase } from '../lib/hub.mjs';
import { cpuMs, freePort, kill, start, untilReady } from '../lib/processes.mjs';
import { COMPONENT, projectFile } from '../lib/settings.mjs';
import { Worker } from './worker.mjs';
import { startHub, subscribe } from './world.mjs';

/** Messages that are made for a round; a receiver that is faster ends it sooner. */
const PER_SECOND = 9000;
const REST_MS = 300;
const HUB_PATH = `/callback/${COMPONENT.appid}/messages/wxfedcba9876543210`;
const PEER_PATH = `/callback/${COMPONENT.appid}/events`;
const PROCESSES = [1, 2, 4];

/**
 * How many messages a second are received, that is durable and answered: by one hub on either
 * database, without a subscription and with one, and by 1, 2 and 4 hubs on one MySQL; beside a
 * bare server that does the same crypto, and nest-wechat.
 */
export async function measureRate({ mysql, settings }) {
  const wechat = new Worker('wechat.mjs');
  const sender = new Worker('sender.mjs');
  const service = new Worker('target.mjs');
  const databases = [];
  const world = { mysql, wechatUrl: await wechat.order('url'), service, databases };
  try {
    const sqlite = await sqliteTargets(world);
    const single = await mysqlTargets(world);
    const floor = await startServer('floor: node:http, same crypto, no database', floorFile);
    const peer = await startServer('nest-wechat 0.2.50, in memory', peerFile, PEER_PATH);
    const targets = [...sqlite, ...single, floor, peer];
    const rounds = await inTurn(sender, service, targets, settings);
    for (const { servers } of targets) await Promise.all(servers.map(kill));
    const fleets = [];
    for (const count of PROCESSES) fleets.push(await startFleet(world, count));
    const growth = await inTurn(sender, service, fleets, settings);
    for (const { servers } of fleets) await Promise.all(servers.map(kill));
    return { rounds, floor, peer, growth, fleets, ours: [...sqlite, ...single] };
  } finally {
    for (const worker of [wechat, sender, service]) worker.stop();
    for (const database of databases) await database.drop();
  }
}

const floorFile = 'bench/messages/floor.mjs';
const peerFile = 'bench/servers/nest-wechat.mjs';

function hubTarget(name, hubs, drain) {
  const servers = hubs.map(({ server }) => server);
  return { name, servers, ports: hubs.map(({ port }) => port), path: HUB_PATH, drain };
}

async function sqliteTargets({ wechatUrl, service, databases }) {
  const { url, remove } = sqliteDatabase();
  const hub = await startHub('hub-rate-sqlite', url, wechatUrl);
  databases.push({ drop: remove });
  return [
    hubTarget('hub, SQLite', [hub]),
    await subscribed(hub, hubTarget('hub, SQLite, one subscriber', [hub]), service),
  ];
}

async function mysqlTargets({ mysql, wechatUrl, service, databases }) {
  const database = await newDatabase(mysql, 'bench_rate_one');
  databases.push(database);
  const hub = await startHub('hub-rate-mysql', database.url, wechatUrl);
  return [
    hubTarget('hub, MySQL', [hub]),
    await subscribed(hub, hubTarget('hub, MySQL, one subscriber', [hub]), service),
  ];
}

/** The same hub, measured with a subscription that is for one account only. */
async function subscribed(hub, target, service) {
  const authorizerAppId = 'wx0000000000000001';
  await subscribe(hub, await service.order('url'), { authorizerAppId });
  const path = HUB_PATH.replace(/[^/]*$/, authorizerAppId);
  return { ...target, path, drain: true };
}

async function startFleet({ mysql, wechatUrl, databases }, count) {
  const database = await newDatabase(mysql, `bench_rate_${count}`);
  databases.push(database);
  const hubs = [];
  for (let number = 1; number <= count; number += 1) {
    hubs.push(await startHub(`hub-rate-${count}-${number}`, database.url, wechatUrl));
  }
  return hubTarget(`${count} ${count === 1 ? 'process' : 'processes'}`, hubs);
}

async function startServer(name, file, path = HUB_PATH) {
  const port = await freePort();
  const args = [projectFile(file)];
  const what = { name: file.replaceAll('/', '-'), file: process.execPath, args };
  const server = start({ ...what, env: { PORT: String(port) } });
  await untilReady(server, () => canConnect(port));
  return { name, servers: [server], ports: [port], path };
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('close', () => resolve(false)).on('connect', () => socket.destroy());
  });
}

/** Every target warmed up, then in turn, each round beginning with another one. */
async function inTurn(sender, service, targets, { warmUpMs, rounds, roundMs }) {
  const results = new Map(targets.map((target) => [target, []]));
  const world = { sender, service };
  for (const target of targets) {
    await prepare(sender, warmUpMs);
    await measure(world, target, warmUpMs);
  }
  for (let round = 0; round < rounds; round += 1) {
    const first = round % targets.length;
    for (const target of [...targets.slice(first), ...targets.slice(0, first)]) {
      // Each its own: two of the targets may share a database.
      await prepare(sender, roundMs);
      await delay(REST_MS);
      results.get(target).push(await measure(world, target, roundMs));
    }
    process.stdout.write(`  round ${round + 1} of ${rounds}\n`);
  }
  return results;
}

function prepare(sender, ms) {
  return sender.order('prepare', { count: Math.ceil((PER_SECOND * ms) / 1000) });
}

async function measure({ sender, service }, { name, servers, ports, path, drain }, ms) {
  await service.order('forget');
  const before = usedMs(servers);
  const started = performance.now();
  const result = await sender.order('run', { ports, path, ms });
  const cpu = ((usedMs(servers) - before) * 1000) / result.answers;
  if (result.wrong > 0) throw new Error(`${name}: ${result.wrong} wrong: ${result.firstWrong}`);
  if (drain) await untilTaken(service, result.answers);
  const drainedMs = performance.now() - started;
  return { ...result, cpu, delivered: drain ? result.answers / (drainedMs / 1000) : undefined };
}

function usedMs(servers) {
  return servers.reduce((sum, server) => sum + cpuMs(server), 0);
}

/** The subscriber has got all of them: what is left to do must not slow down the next one. */
async function untilTaken(service, count) {
  const until = performance.now() + 60_000;
  for (;;) {
    const { taken } = await service.order('counts');
    if (taken >= count) return;
    if (performance.now() > until) throw new Error(`Only ${taken} of ${count} were delivered`);
    await delay(20);
  }
}
