import { connect } from 'node:net';
import { mysqlDatabase, sqliteDatabase } from '../lib/databases.mjs';
import { prime, startHub, subscribe } from '../lib/hub.mjs';
import { cpuMs, freePort, kill, start, untilReady } from '../lib/processes.mjs';
import { goal, list, median, number, table, whole } from '../lib/results.mjs';
import {
  COMPONENT,
  EVENTS_PATH,
  MESSAGES_PATH,
  projectFile,
  TOKEN_PATH,
} from '../lib/settings.mjs';
import { inTurn, planOf, proveStored } from '../lib/rounds.mjs';
import { Worker } from '../lib/worker.mjs';

const FLOOR_GOAL = 0.5;
const PEER_GOAL = 3;
/** The same of a push on MySQL, whose server shares the cores. */
const MYSQL_PUSH_GOAL = 0.4;
/** CPU of a push to that of the floor, by database. */
const CPU_GOALS = { 'hub, SQLite': 2.2, 'hub, MySQL': 2.5 };
const DELIVERED_CPU_GOAL = 4;
/** What the proxy may add to a call. */
const ADDED_GOAL_MS = 2;
const CALL_PATH = `/proxy/components/${COMPONENT.appid}/cgi-bin/get_api_domain_ip`;
const NEST_WECHAT = 'nest-wechat 0.2.50, in memory';

/** Ticket pushes, beside a server that does the same without a database, and other receivers. */
export function measurePushes(world) {
  const floor = ['floor: node:http, same crypto, no database', 'floor.mjs'];
  const peers = [
    [NEST_WECHAT, 'nest-wechat.mjs'],
    ['wechat-crypto 0.0.2, in memory', 'wechat-crypto.mjs'],
  ];
  const title = 'A ticket push: verified, decrypted, stored';
  return measure(world, { kind: 'push', title, path: EVENTS_PATH, floor, peers, goals: pushGoals });
}

/** Messages without a subscription; nest-wechat takes them at its one URL and stores nothing. */
export function measureMessages(world) {
  const floor = ['floor: node:http, same crypto, no database', 'floor.mjs'];
  const peers = [[NEST_WECHAT, 'nest-wechat.mjs']];
  const title = 'A message: verified, decrypted, stored';
  return measure(world, { kind: 'message', title, path: MESSAGES_PATH, floor, peers });
}

/** Messages with one subscriber, to their delivery; the floor only receives them. */
export async function measureDelivered(world) {
  const target = new Worker('target.mjs');
  const floor = ['floor: node:http, same crypto, received only', 'floor.mjs'];
  const title = 'A message: verified, decrypted, stored, delivered to one subscriber';
  const kind = 'message';
  const url = await target.order('url');
  const plan = { kind, title, path: MESSAGES_PATH, floor, peers: [], goals: deliveredGoals };
  const result = await measure(world, { ...plan, subscriber: url });
  target.stop();
  return result;
}

/** Token reads with authentication. */
export function measureReads(world) {
  const floor = ['floor: node:http, hash compared, from memory', 'floor-token.mjs'];
  const title = 'A token read with authentication';
  return measure(world, { kind: 'read', title, path: TOKEN_PATH, floor, peers: [] });
}

/** Calls of WeChat by the proxy, beside a server that hands on whatever comes. */
export async function measureCalls(world) {
  const floor = ['floor: node:http, handed on as it comes', 'floor-pass.mjs'];
  const title = 'A call of WeChat by the proxy';
  const plan = { kind: 'call', title, path: CALL_PATH, floor, peers: [] };
  const busy = await measure(world, { ...plan, goals: floorGoals });
  // What a call takes longer shows where none waits for another.
  const alone = await measure(world, { ...plan, connections: 1, goals: addedGoals });
  return {
    title,
    text: `${busy.text}\n\n${alone.text}`,
    sound: busy.sound && alone.sound,
  };
}

async function measure(
  { mysql, quick },
  { kind, title, path, floor, peers, connections = 32, goals = floorGoals, subscriber },
) {
  const plan = planOf(quick);
  const load = new Worker('load.mjs');
  const wechat = new Worker('wechat.mjs');
  const hubs = await startHubs({ mysql, wechat, kind, path });
  if (subscriber) for (const { hub } of hubs) await subscribe(hub, subscriber);
  const [{ token }] = hubs;
  const others = [];
  for (const [name, file] of [floor, ...peers]) {
    const server = await startServer(file, { TOKEN: token, WECHAT: await wechat.order('url') });
    const own = file === 'nest-wechat.mjs' ? EVENTS_PATH : path;
    others.push({ name, ...server, cpu: cpuBy(server), token, path: own });
  }
  const requests = { kind, connections, isDelivered: subscriber !== undefined };
  const rounds = await inTurn(load, requests, [...hubs, ...others], plan);
  const stored = [];
  for (const hub of hubs) stored.push(await proveStored(hub, kind));
  for (const { server } of others) await kill(server);
  load.stop();
  wechat.stop();
  const [floorRounds, peerRounds] = others.map((target) => rounds.get(target));
  const text = [
    `${connections} connection${connections > 1 ? 's' : ''}, one request at a time on each; ${plan.rounds} rounds of ${plan.ms / 1000} s in ` +
      'turn after a warm-up; figures are medians, a ratio is the median of the ratios within each ' +
      "round. Every answer's status and body are checked. CPU is the server's without its database's.",
    tableOf(rounds, floorRounds, peerRounds),
    list(hubs.flatMap((hub) => goals(hub.name, rounds.get(hub), floorRounds, peerRounds))),
    list(stored.map((one) => one.text)),
  ];
  return { title, text: text.join('\n\n'), sound: stored.every(({ sound }) => sound) };
}

/** A hub on either database, each with a ticket and a token. */
async function startHubs({ mysql, wechat, kind, path }) {
  const hubs = [];
  for (const [name, database] of [
    ['hub, SQLite', sqliteDatabase()],
    ['hub, MySQL', await mysqlDatabase(mysql, `bench_${kind}`)],
  ]) {
    const log = `hub-${kind}-${name.slice('hub, '.length)}`;
    const hub = await startHub(log, database.url, await wechat.order('url'));
    const token = await prime(hub, wechat);
    const { port } = hub;
    hubs.push({ name, hub, database, token, cpu: cpuBy(hub), port, path });
  }
  return hubs;
}

/** Of the server itself, without its database's. */
function cpuBy({ server }) {
  return () => ({ server: cpuMs(server) });
}

async function startServer(file, env) {
  const port = await freePort();
  const args = [projectFile(`bench/servers/${file}`)];
  const what = { name: file, file: process.execPath, args };
  const server = start({ ...what, env: { PORT: String(port), ...env } });
  await untilReady(server, () => canConnect(port));
  return { server, port };
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

function tableOf(rounds, floor, peer) {
  const head = ['server', 'requests/s', 'lowest–highest', 'p50 ms', 'p99 ms'];
  head.push('CPU µs/request', 'generator busy', 'to floor', ...(peer ? ['to nest-wechat'] : []));
  const rows = [...rounds].map(([{ name }, own]) => {
    const rates = own.map(({ perSecond }) => perSecond);
    return [
      name,
      whole(median(rates)),
      `${whole(Math.min(...rates))}–${whole(Math.max(...rates))}`,
      number(medianOf(own, 'p50')),
      number(medianOf(own, 'p99')),
      whole(median(own.map(microsOf))),
      `${Math.round(medianOf(own, 'generatorCpu') * 100)} %`,
      times(ratio(own, floor)),
      ...(peer ? [times(ratio(own, peer))] : []),
    ];
  });
  return table([head, ...rows]);
}

function floorGoals(name, own, floor, peer, least = FLOOR_GOAL) {
  const toFloor = ratio(own, floor);
  const lines = [goal(`${name}: at least ${least} of the floor`, toFloor >= least, times(toFloor))];
  if (!peer) return lines;
  const toPeer = ratio(own, peer);
  const wanted = `${name}: at least ${PEER_GOAL} times nest-wechat`;
  return [...lines, goal(wanted, toPeer >= PEER_GOAL, times(toPeer))];
}

function pushGoals(name, own, floor, peer) {
  const least = name === 'hub, MySQL' ? MYSQL_PUSH_GOAL : FLOOR_GOAL;
  return [...floorGoals(name, own, floor, peer, least), cpuGoal(name, own, floor, CPU_GOALS[name])];
}

function deliveredGoals(name, own, floor) {
  return [cpuGoal(name, own, floor, DELIVERED_CPU_GOAL)];
}

function cpuGoal(name, own, floor, most) {
  const cpu = ratio(own, floor, microsOf);
  return goal(`${name}: CPU at most ${most} times the floor's`, cpu <= most, times(cpu));
}

function addedGoals(name, own, floor) {
  const added = medianOf(own, 'p50') - medianOf(floor, 'p50');
  const wanted = `${name}: p50 added under ${ADDED_GOAL_MS} ms`;
  return [goal(wanted, added < ADDED_GOAL_MS, `${number(added)} ms`)];
}

/**
 * Median of the rounds' ratios. The two sides of each were measured within seconds, so that a slow
 * spell of the machine does less to it than to the ratio of two medians.
 */
function ratio(rounds, others, figure = ({ perSecond }) => perSecond) {
  return median(rounds.map((one, round) => figure(one) / figure(others[round])));
}

function microsOf({ micros }) {
  return micros.server;
}

function medianOf(rounds, field) {
  return median(rounds.map((round) => round[field]));
}

function times(value) {
  return `${value.toFixed(2)}×`;
}
