/**
 * WeChat in a hurry: keeps connections to one or several ports busy with messages that were made
 * before, so that nothing but the receiver is measured.
 */
import { plaintextOf, sealMessage } from '../../dist/simulator/message-builder.js';
import { MessageIds, openidOf } from '../../dist/simulator/message-ids.js';
import { HttpConnection } from '../lib/http-connection.mjs';
import { COMPONENT, CONNECTIONS } from '../lib/settings.mjs';
import { percentile } from '../lib/statistics.mjs';
import { obey } from './worker.mjs';

const ids = new MessageIds();
const users = openidOf(String(process.pid)).slice(0, 18);
let made = 0;
/** What follows the path; each receiver has a path of its own. */
let pool = [];

function newMessage() {
  made += 1;
  const common = {
    toUserName: 'gh_0a1b2c3d4e5f',
    fromUser: users + String(made).padStart(10, '0'),
    createTime: Math.floor(Date.now() / 1000),
    msgId: ids.take(),
    format: 'xml',
  };
  const fields = { Content: `message ${made}` };
  const plaintext = plaintextOf({ ...common, msgType: 'text', fields });
  const message = { ...common, component: COMPONENT, url: '', plaintext, overrides: {} };
  const { url, headers, body } = sealMessage(message, Date.now());
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return (
    `${url} HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines.join('')}` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  );
}

/** Every connection sends its next message when the last one is answered. */
async function run({ ports, path, ms }) {
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, (_, at) => HttpConnection.open(ports[at % ports.length])),
  );
  const state = { next: 0, latencies: [], wrong: 0 };
  const cpu = process.cpuUsage();
  const started = performance.now();
  await Promise.all(
    connections.map((connection) => keepBusy(connection, path, started + ms, state)),
  );
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  for (const connection of connections) connection.close();
  const { latencies, wrong, firstWrong } = state;
  const sorted = Float64Array.from(latencies).toSorted();
  return {
    answers: sorted.length,
    wrong,
    firstWrong,
    perSecond: sorted.length / seconds,
    p50: percentile(sorted, 50),
    p99: percentile(sorted, 99),
    generatorCpu: (user + system) / 1e6 / seconds,
  };
}

function keepBusy(connection, path, stopAt, state) {
  return new Promise((resolve, reject) => {
    let sentAt = 0;
    const sendNext = (now) => {
      const rest = now < stopAt ? pool[state.next] : undefined;
      if (rest === undefined) return resolve();
      state.next += 1;
      sentAt = now;
      connection.send(`POST ${path}${rest}`);
    };
    connection.onFailure = reject;
    connection.onAnswer = (status, body) => {
      const now = performance.now();
      state.latencies.push(now - sentAt);
      if (status !== 200 || body !== 'success') {
        state.wrong += 1;
        state.firstWrong ??= `${status} ${body.slice(0, 300)}`;
      }
      sendNext(now);
    };
    sendNext(performance.now());
  });
}

obey({
  prepare: ({ count }) => {
    pool = Array.from({ length: count }, newMessage);
  },
  run,
});
