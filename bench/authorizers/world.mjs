import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { hubEnvironment } from '../lib/hub.mjs';
import { freePort, start, untilReady } from '../lib/processes.mjs';
import { ADMIN_TOKEN, COMPONENT, projectFile, TOKEN_PATH } from '../lib/settings.mjs';

const shared = new Agent({ keepAlive: true });

/** One request with a JSON answer; by node:http, because fetch costs several times as much. */
export function ask(method, url, { body, headers = {}, agent = shared } = {}) {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent, timeout: 20_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, json: parse(text) }));
    });
    outgoing.on('error', reject);
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${url} did not answer`)));
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The fake WeChat as a process of its own, and its control. */
export class WechatProcess {
  static async start() {
    const port = await freePort();
    const args = [projectFile('dist/simulator/main.js')];
    const env = { SIM_PORT: String(port) };
    const server = start({ name: 'simulator', file: process.execPath, args, env });
    const wechat = new WechatProcess(server, `http://127.0.0.1:${port}`);
    await untilReady(server, () => wechat.control('GET', '/state'));
    return wechat;
  }

  constructor(server, url) {
    this.server = server;
    this.url = url;
  }

  async control(method, path, body) {
    const { status, json } = await ask(method, `${this.url}/__sim${path}`, { body });
    if (status !== 200) throw new Error(`${method} ${path} answered ${JSON.stringify(json)}`);
    return json;
  }

  /** Accounts that are authorized; `prefix` makes their appids differ from those of other calls. */
  addAccounts(count, prefix) {
    return this.control('POST', '/accounts', { count, prefix, authorizedTo: COMPONENT.appid });
  }

  /** From now on api_authorizer_token is answered so late. */
  async answerIn(delayMs) {
    await this.control('DELETE', '/faults');
    if (delayMs > 0) {
      await this.control('POST', '/faults', { path: REFRESH_PATH, kind: 'delay', delayMs });
    }
  }

  /** How often a path was called since the last `forgetCalls`, and with what outcome. */
  async calls(path = REFRESH_PATH) {
    const { paths } = await this.control('GET', '/calls');
    return paths[path] ?? { arrived: 0, answered: {} };
  }

  forgetCalls() {
    return this.control('DELETE', '/calls');
  }
}

/** The call that refreshes an account's token. */
export const REFRESH_PATH = '/cgi-bin/component/api_authorizer_token';

/** A hub as in production (`node dist/main.js`), with a first ticket and token. */
export async function startHub(name, databaseUrl, wechat, nodeOptions = []) {
  const port = await freePort();
  const args = [...nodeOptions, projectFile('dist/main.js')];
  const env = hubEnvironment(port, databaseUrl, wechat.url);
  const server = start({ name, file: process.execPath, args, env });
  const hub = { name, server, url: `http://127.0.0.1:${port}` };
  await untilReady(server, async () => (await read(hub, '/health/live')).status === 200);
  return hub;
}

/** Pushes a ticket to a hub and resolves when it has made a token of it. */
export async function prime(hub, wechat) {
  const url = `${hub.url}/callback/${COMPONENT.appid}/events`;
  const { body } = await wechat.control('POST', '/push', { component: COMPONENT.appid, url });
  if (body !== 'success') throw new Error(`The hub answered the ticket with ${body}`);
  const { status, json } = await read(hub, TOKEN_PATH);
  if (status !== 200) throw new Error(`No token after a ticket: ${JSON.stringify(json)}`);
  return json.component_access_token;
}

/** A GET with the admin token. */
export function read(hub, path) {
  return ask('GET', hub.url + path, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
}

/** Most memory that a process has had at once, in MiB; NaN where the system won't say. */
export function peakMemory({ child }) {
  try {
    const [, kib] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
    return Number(kib) / 1024;
  } catch {
    return NaN;
  }
}

/** Lines of a hub's log that tell of trouble. */
export function troubles({ server }) {
  const lines = readFileSync(server.log, 'utf8').split('\n');
  return lines.filter((line) => /"level":"(warn|error|fatal)"/.test(line));
}
