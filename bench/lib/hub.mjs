import { readFileSync } from 'node:fs';
import { freePort, start, untilReady } from './processes.mjs';
import { ADMIN_TOKEN, COMPONENT, projectFile, TOKEN_PATH } from './settings.mjs';

/** Key of the hub's secrets at rest; an obvious fake. */
export const MASTER_KEY = `b1:${Buffer.from('fake-master-key-of-benchmark-32b').toString('base64')}`;

/** Node's flags for a hub that ships. */
export const HUB_FLAGS = JSON.parse(readFileSync(projectFile('package.json'), 'utf8')).scripts[
  'start:prod'
].match(/--\S+/g);

/** Starts a hub as in production, settings by environment, log to a file. */
export async function startHub(name, databaseUrl, wechatUrl, settings = {}) {
  const port = await freePort();
  const server = start({
    name,
    file: process.execPath,
    args: [...HUB_FLAGS, projectFile('dist/main.js')],
    env: { ...hubEnvironment(port, databaseUrl, wechatUrl), ...settings },
  });
  const hub = { name, server, port };
  await untilReady(server, () => ask(hub, 'GET', '/health/live'));
  return hub;
}

/** Environment of a hub under measurement. */
export function hubEnvironment(port, databaseUrl, wechatUrl) {
  return {
    HOST: '127.0.0.1',
    PORT: String(port),
    DATABASE_URL: databaseUrl,
    ADMIN_TOKEN,
    MASTER_KEYS: MASTER_KEY,
    WECHAT_API_BASE_URL: wechatUrl,
    WECHAT_COMPONENT_APPID: COMPONENT.appid,
    WECHAT_COMPONENT_APPSECRET: COMPONENT.appsecret,
    WECHAT_COMPONENT_TOKEN: COMPONENT.token,
    WECHAT_COMPONENT_ENCODING_AES_KEY: COMPONENT.encodingAesKey,
    DELIVERY_ALLOWED_TARGETS: '127.0.0.1',
  };
}

/** A request with the admin token; its JSON. */
export async function ask({ port }, method, path, body) {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  if (body) headers['content-type'] = 'application/json';
  const options = { method, headers, body: JSON.stringify(body) };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, options);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path} answered ${text}`);
  return JSON.parse(text);
}

/** Gives a hub a ticket and resolves with the token that it gets for it. */
export async function prime(hub, wechat) {
  await wechat.order('prime', { port: hub.port });
  return (await ask(hub, 'GET', TOKEN_PATH)).component_access_token;
}

/** Gives a hub WeChat's accounts and waits until it has the tokens of all: nobody measures that. */
export async function settle(hub, wechat, count) {
  await prime(hub, wechat);
  await ask(hub, 'POST', `/admin/components/${COMPONENT.appid}/authorizers/resync`);
  await wechat.order('settled', { count });
}

/** Adds a subscription; with its secret. */
export function subscribe(hub, url, values = {}) {
  const body = { name: 'A service', url, kinds: ['message', 'event'], ...values };
  return ask(hub, 'POST', '/admin/subscriptions', body);
}

/** What the hubs' logs say of trouble, most frequent first. */
export function troubles(...hubs) {
  const counts = new Map();
  for (const line of hubs.flatMap(({ server }) => readFileSync(server.log, 'utf8').split('\n'))) {
    if (!/"level":"(warn|error|fatal)"/.test(line)) continue;
    const { message } = JSON.parse(line);
    counts.set(message, (counts.get(message) ?? 0) + 1);
  }
  const sorted = [...counts].toSorted(([, a], [, b]) => b - a);
  return sorted.map(([message, count]) => `${count} × “${message}”`).join(', ') || 'none';
}
