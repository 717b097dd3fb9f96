/**
 * The load generator, a process of its own so that no server shares its event loop: keeps
 * connections busy with requests that were made before, so that nothing but the server is measured.
 */
import { plaintextOf, sealMessage } from '../../dist/simulator/message-builder.js';
import { buildPush, ticketXml } from '../../dist/simulator/push-builder.js';
import { MessageIds, newTicket, openidOf } from '../../dist/simulator/random-values.js';
import { timesOf } from '../lib/results.mjs';
import { ADMIN_TOKEN, COMPONENT } from '../lib/settings.mjs';
import { obey } from '../lib/worker.mjs';
import { HttpConnection } from './http-connection.mjs';

/** Connections that are kept busy, each with one request at a time. */
const CONNECTIONS = 32;
/** Connections of a steady rate: more than a server below saturation needs. */
const OPEN_CONNECTIONS = 256;
/** What is not answered so long after the last was due is left out, in milliseconds. */
const PATIENCE_MS = 3000;
const ids = new MessageIds();
const users = openidOf(String(process.pid)).slice(0, 18);
let made = 0;
/** Requests without method and path: each server has a path of its own. */
let pool = [];

/** No two pushes are alike: a repeated one would be answered without being stored. */
const MAKERS = {
  push: () => {
    const createTime = Math.floor(Date.now() / 1000);
    const plaintext = ticketXml(COMPONENT.appid, createTime, newTicket());
    const { query, headers, body } = buildPush(
      { ...COMPONENT, pushUrl: null },
      Date.now(),
      plaintext,
    );
    return onTheWire(`?${query}`, headers, body);
  },
  message: () => {
    made += 1;
    const head = {
      toUserName: 'gh_0a1b2c3d4e5f',
      fromUser: users + String(made).padStart(10, '0'),
      createTime: Math.floor(Date.now() / 1000),
      msgId: ids.take(),
      format: 'xml',
    };
    const fields = { Content: `message ${made}` };
    const plaintext = plaintextOf({ ...head, msgType: 'text', fields });
    const message = { ...head, component: COMPONENT, url: '', plaintext, overrides: {} };
    const { url, headers, body } = sealMessage(message, Date.now());
    return onTheWire(url, headers, body);
  },
};
const READ = onTheWire('', { Authorization: `Bearer ${ADMIN_TOKEN}` });

function onTheWire(query, headers, body = '') {
  const all = { Host: '127.0.0.1', ...headers, 'Content-Length': Buffer.byteLength(body) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${query} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

/** Where the next request of a kind comes from, and how its first line begins. */
function source(kind, path) {
  return MAKERS[kind]
    ? { next: () => pool.pop(), start: `POST ${path}` }
    : { next: () => READ, start: `GET ${path}` };
}

/** Every connection sends its next request when the last one is answered. */
async function run({ kind, port, path, ms, expected, connections: count = CONNECTIONS }) {
  const opening = Array.from({ length: count }, () => HttpConnection.open(port));
  const connections = await Promise.all(opening);
  const state = { ...source(kind, path), expected, latencies: [], wrong: 0 };
  const cpu = process.cpuUsage();
  const started = performance.now();
  await Promise.all(connections.map((one) => keepBusy(one, started + ms, state)));
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  for (const connection of connections) connection.close();
  const { latencies, wrong, firstWrong } = state;
  return {
    ...timesOf(latencies),
    answers: latencies.length,
    wrong,
    firstWrong,
    perSecond: latencies.length / seconds,
    generatorCpu: (user + system) / 1e6 / seconds,
  };
}

function keepBusy(connection, stopAt, state) {
  return new Promise((resolve, reject) => {
    let sentAt = 0;
    const sendNext = (now) => {
      const rest = now < stopAt ? state.next() : undefined;
      if (rest === undefined) return resolve();
      sentAt = now;
      connection.send(state.start + rest);
    };
    connection.onFailure = reject;
    connection.onAnswer = (status, body) => {
      const now = performance.now();
      state.latencies.push(now - sentAt);
      if (status !== 200 || !body.startsWith(state.expected)) {
        state.wrong += 1;
        state.firstWrong ??= `${status} ${body.slice(0, 300)}`;
      }
      sendNext(now);
    };
    sendNext(performance.now());
  });
}

/**
 * Requests at a steady rate, whether the server keeps up or not: each is timed from when it was due,
 * so that one that had to wait for a connection counts its wait.
 * @param rotating whether all connections are used in turn: the hub answers 408 on one on which
 * nothing has come for 10 s.
 */
async function runAt({ kind, port, path, ms, expected, perSecond, connections: most, rotating }) {
  const { next, start } = source(kind, path);
  const opening = Array.from({ length: most ?? OPEN_CONNECTIONS }, () => HttpConnection.open(port));
  const free = await Promise.all(opening);
  const connections = [...free];
  const latencies = [];
  const began = performance.now();
  const count = Math.round((perSecond * ms) / 1000);
  const dueAt = (index) => began + (index * 1000) / perSecond;
  let sent = 0;
  let timers = [];
  await new Promise((resolve, reject) => {
    const sendDue = () => {
      for (; sent < count && free.length > 0 && dueAt(sent) <= performance.now(); sent += 1) {
        const connection = rotating ? free.shift() : free.pop();
        const due = dueAt(sent);
        connection.onFailure = reject;
        connection.onAnswer = (status, body) => {
          if (status !== 200 || !body.startsWith(expected)) reject(new Error(`${status} ${body}`));
          latencies.push(performance.now() - due);
          free.push(connection);
          if (latencies.length === count) resolve();
          else sendDue();
        };
        connection.send(start + next());
      }
    };
    timers = [setInterval(sendDue, 1), setTimeout(resolve, ms + PATIENCE_MS)];
  });
  for (const timer of timers) clearTimeout(timer);
  const seconds = (performance.now() - began) / 1000;
  for (const connection of connections) connection.close();
  return {
    ...timesOf(latencies),
    answers: latencies.length,
    perSecond: latencies.length / seconds,
  };
}

obey({
  /** Makes the requests of the next measurement; a server that answers more of them ends it. */
  prepare: ({ kind, count }) => {
    pool = MAKERS[kind] ? Array.from({ length: count }, MAKERS[kind]) : [];
  },
  run,
  runAt,
});
