import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_PUSH_INTERVAL_SECONDS, SIMULATOR_COMPONENT } from './defaults.js';
import { askHub, DemoWorld, type DemoHub } from './demo-world.js';
import { WechatSimulator } from './wechat-simulator.js';

/*
 * `npm run demo`: the hub on SQLite and the simulator of WeChat together, and an account of what
 * happens between them. With `--once` it ends by itself: exit code 0 only when the token that the
 * hub hands out is the one that WeChat issued.
 */

const ADMIN_TOKEN = 'demo-admin-token-of-no-value';
const HUB_MAIN = join(import.meta.dirname, '../main.js');
const START_LIMIT_MS = 20_000;
const SIGNAL_MS = 100;
const APPID = SIMULATOR_COMPONENT.appid;

// From the first moment: what has begun is removed whenever somebody has enough.
const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
let stopping = false;
const onlyOnce = process.argv.includes('--once');
/** The exit code. Ctrl+C is how the demo ends, and no proof that the chain works. */
const INTERRUPTED = onlyOnce ? 130 : 0;
const folder = mkdtempSync(join(tmpdir(), 'component-hub-demo-'));
const hubLog = join(folder, 'hub.log');

function say(line = ''): void {
  console.log(line);
}

function step(number: number, title: string, ...details: string[]): void {
  say(`${number}. ${title}`);
  for (const detail of details) say(`     ${detail}`);
}

/** The usual port if nobody has it, else any; its number, which the hub needs for its own address. */
async function portOr(usual: number): Promise<number> {
  const server = createServer();
  const free = once(server, 'listening').then(
    () => true,
    () => false,
  );
  server.listen(usual, '127.0.0.1');
  if (!(await free)) return portOr(0);
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function spawnHub(port: number, simulator: WechatSimulator): ChildProcess {
  return spawn(process.execPath, [HUB_MAIN], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      DATABASE_URL: 'sqlite:./hub.sqlite',
      WECHAT_API_BASE_URL: simulator.url,
      WECHAT_COMPONENT_APPID: APPID,
      WECHAT_COMPONENT_APPSECRET: SIMULATOR_COMPONENT.appsecret,
      WECHAT_COMPONENT_TOKEN: SIMULATOR_COMPONENT.token,
      WECHAT_COMPONENT_ENCODING_AES_KEY: SIMULATOR_COMPONENT.encodingAesKey,
      ADMIN_TOKEN,
      // The examples listen here.
      DELIVERY_ALLOWED_TARGETS: '127.0.0.1',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** The hub's URL, once it listens. Its log goes on into a file. */
async function listening(hub: ChildProcess): Promise<string> {
  if (!hub.stdout) throw new Error('The hub has no output');
  hub.stdout.pipe(createWriteStream(hubLog));
  const lines = createInterface({ input: hub.stdout });
  const limit = setTimeout(() => hub.kill(), START_LIMIT_MS);
  try {
    for await (const line of lines) {
      const entry = JSON.parse(line) as { message?: string; url?: string };
      if (entry.message === 'Listening' && entry.url) return entry.url;
    }
  } finally {
    clearTimeout(limit);
    hub.stdout.resume();
  }
  throw new Error('The hub did not start');
}

function hubOf(url: string): DemoHub {
  return { url, adminToken: ADMIN_TOKEN };
}

/** Runs the chain and tells it; whether the token is the one that was issued. */
async function tell(hubUrl: string, simulator: WechatSimulator): Promise<boolean> {
  step(1, 'WeChat (simulated) is up', simulator.url);
  step(2, 'The hub is up, on SQLite', hubUrl, `data: ${folder}`);
  const push = await simulator.pushTicket(APPID);
  step(
    3,
    'WeChat pushed an encrypted component_verify_ticket',
    `POST ${hubUrl}/callback/${APPID}/events`,
    `ticket ${push.ticket?.slice(0, 16)}…, encrypted with AES-256-CBC, signed with sha1`,
    `the hub answered ${push.status} "${push.body}" after ${Math.round(push.ms)} ms: the ticket is in the database`,
  );
  const answer = await askHub(hubOf(hubUrl), `/api/components/${APPID}/access-token`);
  const calls = simulator.callSummary().paths['/cgi-bin/component/api_component_token'];
  step(
    4,
    'The hub exchanged it for a component_access_token',
    `POST ${simulator.url}/cgi-bin/component/api_component_token, ${calls?.arrived ?? 0} call`,
  );
  const token = String(answer['component_access_token']);
  const proven = token === simulator.currentToken(APPID)?.value;
  step(
    5,
    'A service asked the hub for the token',
    `GET ${hubUrl}/api/components/${APPID}/access-token`,
    `${token.slice(0, 16)}…, valid for ${String(answer['expires_in'])} s`,
    proven
      ? 'It is the token that WeChat issued.'
      : `It is NOT the token that WeChat issued: ${JSON.stringify(answer)}`,
  );
  return proven;
}

async function invite(hubUrl: string, simulator: WechatSimulator): Promise<void> {
  const { link } = await askHub(hubOf(hubUrl), '/admin/session/links', { name: 'Demo' });
  const auth = `-H 'Authorization: Bearer ${ADMIN_TOKEN}'`;
  say();
  say('Open the console (the link signs in once, within 15 minutes):');
  say(`  ${hubUrl}${String(link)}`);
  say(`Later at ${hubUrl}/console with the admin token ${ADMIN_TOKEN}`);
  say();
  say('Or try it:');
  say(`  curl ${auth} ${hubUrl}/api/components/${APPID}/access-token`);
  say(`  curl ${auth} ${hubUrl}/admin/tickets`);
  say(`  curl ${auth} ${hubUrl}/admin/tickets/${APPID}/history`);
  say(`  curl ${auth} ${hubUrl}/admin/tokens`);
  say(`  curl -X POST ${auth} ${hubUrl}/admin/tokens/${APPID}/refresh`);
  say(`  curl ${hubUrl}/health/ready`);
  const push = `-d '{"component":"${APPID}"}' ${simulator.url}/__sim/push`;
  say(`  curl -X POST -H 'content-type: application/json' ${push}`);
  say(`API documentation: ${hubUrl}/docs`);
  say(`The hub's log: ${hubLog}`);
  say();
  say('Ctrl+C ends it and removes its data.');
}

function fill(world: DemoWorld): void {
  void world.fill().then(
    () =>
      say('The console has accounts, messages and deliveries to show, some in trouble on purpose.'),
    (error: unknown) => stopping || say(`The demo's world is not complete: ${String(error)}`),
  );
}

async function main(): Promise<number> {
  const simulator = await WechatSimulator.start({
    port: onlyOnce ? 0 : await portOr(3100),
    components: [SIMULATOR_COMPONENT],
  });
  const hub = spawnHub(await portOr(onlyOnce ? 0 : 3000), simulator);
  const exited = once(hub, 'exit');
  let world: DemoWorld | undefined;
  /** The exit code, where it ends by itself. */
  const present = async (): Promise<number> => {
    const hubUrl = await listening(hub);
    simulator.updateComponent(APPID, { pushUrl: `${hubUrl}/callback/${APPID}/events` });
    const proven = await tell(hubUrl, simulator);
    if (onlyOnce || !proven) return proven ? 0 : 1;
    simulator.updateComponent(APPID, { pushIntervalSeconds: DEFAULT_PUSH_INTERVAL_SECONDS });
    await invite(hubUrl, simulator);
    if (stopping) return 0;
    world = new DemoWorld(hubOf(hubUrl), simulator, APPID, join(folder, 'hub.sqlite'));
    fill(world);
    const [code, signal] = await exited;
    throw new Error(`The hub has ended (code ${String(code)}, signal ${String(signal)})`);
  };
  try {
    return await Promise.race([present(), interrupted.then(() => INTERRUPTED)]);
  } catch (error) {
    // Ctrl+C ends the hub as well, and that may be seen first.
    if (await Promise.race([interrupted.then(() => true), delay(SIGNAL_MS, false)])) {
      return INTERRUPTED;
    }
    say(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
    say(readFileSync(hubLog, 'utf8').split('\n').slice(-20).join('\n'));
    return 1;
  } finally {
    stopping = true;
    world?.stop();
    hub.kill('SIGTERM');
    await exited;
    await simulator.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
