import { readFileSync } from 'node:fs';
import { hubEnvironment } from '../lib/hub.mjs';
import { freePort, start, untilReady } from '../lib/processes.mjs';
import { ADMIN_TOKEN, COMPONENT, projectFile } from '../lib/settings.mjs';

/** A hub as in production (`node dist/main.js`) that may deliver to this machine. */
export async function startHub(name, databaseUrl, wechatUrl, env = {}) {
  const port = await freePort();
  const server = start({
    name,
    file: process.execPath,
    args: [
      ...(process.env.BENCH_NODE_OPTIONS ?? '').split(' ').filter(Boolean),
      projectFile('dist/main.js'),
    ],
    env: {
      ...hubEnvironment(port, databaseUrl, wechatUrl),
      DELIVERY_ALLOWED_TARGETS: '127.0.0.1',
      ...env,
    },
  });
  const hub = { name, server, port, url: `http://127.0.0.1:${port}` };
  await untilReady(server, async () => (await fetch(`${hub.url}/health/live`)).ok);
  return hub;
}

/**
 * Gives a hub its first ticket and WeChat's accounts, and waits until it has the tokens of all: what
 * a hub does once in its life is over before anything is measured.
 */
export async function settle(hub, wechat, count) {
  await wechat.order('prime', { port: hub.port });
  await request(hub, `/admin/components/${COMPONENT.appid}/authorizers/resync`);
  await wechat.order('settled', { count });
}

/** Adds a subscription; with its secret. */
export async function subscribe(hub, url, values = {}) {
  const body = { name: 'A service', url, kinds: ['message', 'event'], ...values };
  return request(hub, '/admin/subscriptions', body);
}

async function request(hub, path, body) {
  const authorization = `Bearer ${ADMIN_TOKEN}`;
  const headers = body ? { authorization, 'content-type': 'application/json' } : { authorization };
  const options = { method: 'POST', headers, body: JSON.stringify(body) };
  const answer = await fetch(hub.url + path, options);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path} answered ${text}`);
  return JSON.parse(text);
}

/** Lines of a hub's log that tell of trouble. */
export function troubles({ server }) {
  const lines = readFileSync(server.log, 'utf8').split('\n');
  return lines.filter((line) => /"level":"(warn|error|fatal)"/.test(line));
}

/** How many messages say each thing, most frequent first. */
export function tally(lines) {
  const counts = new Map();
  for (const line of lines) {
    const { message } = JSON.parse(line);
    counts.set(message, (counts.get(message) ?? 0) + 1);
  }
  return [...counts].toSorted(([, a], [, b]) => b - a);
}
