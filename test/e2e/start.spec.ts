import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { StartedHub } from '../support/started-hub.js';
import { ADMIN_TOKEN, COMPONENT, hubEnvironment } from '../support/fake-settings.js';

const { HOST: _host, PORT: _port, MASTER_KEYS: _keys, ...SETTINGS } = hubEnvironment();
const NO_COMPONENT = Object.fromEntries(
  Object.keys(SETTINGS)
    .filter((name) => name.startsWith('WECHAT_COMPONENT'))
    .map((name) => [name, '']),
);

let folder: string;
let wechat: WechatSimulator;
let hubs: StartedHub[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hub-start-'));
  // A hub without a ticket asks WeChat for one as it starts.
  wechat = await WechatSimulator.start({ components: [COMPONENT] });
  hubs = [];
});
afterEach(async () => {
  for (const hub of hubs) if (hub.child.exitCode === null) await hub.end('SIGKILL');
  await wechat.stop();
  rmSync(folder, { recursive: true });
});

async function spawn(env: Record<string, string> = {}): Promise<StartedHub> {
  const hub = await StartedHub.spawn(folder, {
    ...SETTINGS,
    WECHAT_API_BASE_URL: wechat.url,
    ...env,
  });
  hubs.push(hub);
  return hub;
}

/** Starts one and ends it as an orchestrator does. */
async function runOnce(env: Record<string, string> = {}): Promise<StartedHub> {
  const hub = await spawn(env);
  await hub.ready();
  expect((await hub.end('SIGTERM')).code).toBe(0);
  return hub;
}

async function statusWith(hub: StartedHub, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`${hub.url}/admin/components`, { headers })).status;
}

/** Names at the beginnings of the lines of a configuration message. */
function namedIn(stderr: string): string[] {
  return [...stderr.matchAll(/^ {2}([A-Z_]+): /gm)].map(([, name]) => name ?? '').toSorted();
}

describe('a hub that cannot start ends with code 1 and one message, when', () => {
  it('its configuration is malformed, naming each variable and repeating no secret', async () => {
    const wrong = {
      PORT: 'not-a-port',
      DATABASE_URL: 'postgres://hub:fake-password@db/hub',
      WECHAT_API_BASE_URL: 'wechat.example',
      WECHAT_COMPONENT_ENCODING_AES_KEY: COMPONENT.encodingAesKey.slice(1),
      ADMIN_TOKEN: 'fake token',
    };
    const { code, stdout, stderr } = await (await spawn(wrong)).end();
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(namedIn(stderr)).toEqual(Object.keys(wrong).toSorted());
    expect(stderr.match(/Configuration is not usable/g)).toHaveLength(1);
    for (const name of Object.keys(wrong)) expect(stderr).toContain(`(example: ${name}=`);
    for (const value of Object.values(wrong)) expect(stderr).not.toContain(value);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('MySQL is configured without master keys', async () => {
    const DATABASE_URL = 'mysql://hub:fake-password@127.0.0.1:1/hub';
    const { code, stderr } = await (await spawn({ DATABASE_URL })).end();
    expect(code).toBe(1);
    expect(namedIn(stderr)).toEqual(['MASTER_KEYS']);
    expect(stderr).not.toContain('fake-password');
  });

  it('the file of the master key is damaged', async () => {
    await runOnce();
    writeFileSync(join(folder, 'data/master.key'), 'file:damaged\n');
    const { code, stderr } = await (await spawn()).end();
    expect(code).toBe(1);
    expect(namedIn(stderr)).toEqual(['MASTER_KEYS']);
  });

  it('its port is taken', async () => {
    const first = await spawn();
    await first.ready();
    const PORT = new URL(first.url).port;
    const { code, stderr } = await (await spawn({ PORT })).end();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^Configuration is not usable:\n  PORT: another program listens on \d+: set another port\n/,
    );
  });

  it('it is to listen on an address that is not of this machine', async () => {
    const { code, stderr } = await (await spawn({ HOST: '192.0.2.1', PORT: '39999' })).end();
    expect(code).toBe(1);
    expect(namedIn(stderr)).toEqual(['HOST']);
  });
});

describe('a hub on SQLite', () => {
  it('keeps its key in a file that only its owner can read, and its component', async () => {
    await runOnce();
    const path = join(folder, 'data/master.key');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const key = readFileSync(path, 'utf8');
    const hub = await spawn(NO_COMPONENT);
    await hub.ready();
    expect(readFileSync(path, 'utf8')).toBe(key);
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const response = await fetch(`${hub.url}/admin/components`, { headers });
    expect(await response.json()).toMatchObject([{ componentAppId: COMPONENT.appid }]);
  });

  it('starts without a platform, says so in one line, and takes the first by REST', async () => {
    const hub = await spawn(NO_COMPONENT);
    await hub.ready();
    const added = await fetch(`${hub.url}/admin/components`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        componentAppId: COMPONENT.appid,
        appSecret: COMPONENT.appsecret,
        token: COMPONENT.token,
        encodingAesKey: COMPONENT.encodingAesKey,
      }),
    });
    expect(added.status).toBe(201);
    wechat.updateComponent(COMPONENT.appid, {
      pushUrl: `${hub.url}/callback/${COMPONENT.appid}/events`,
    });
    expect((await wechat.pushTicket(COMPONENT.appid)).body).toBe('success');
    const { code, stdout } = await hub.end('SIGTERM');
    expect(code).toBe(0);
    expect(stdout.match(/There is no third-party platform yet/g)).toHaveLength(1);
    expect(stdout).not.toMatch(/"level":"(error|fatal)"/);
  });

  it('reads .env of its folder', async () => {
    const lines = Object.entries(SETTINGS).map(([name, value]) => `${name}=${value}`);
    writeFileSync(join(folder, '.env'), [...lines, 'PORT=1'].join('\n'));
    const hub = await StartedHub.spawn(folder, { WECHAT_API_BASE_URL: wechat.url });
    hubs.push(hub);
    await hub.ready();
    expect(await statusWith(hub, ADMIN_TOKEN)).toBe(200);
  });

  it('makes an admin token, shows it once, keeps its hash, and forgets it for one that is set', async () => {
    const first = await spawn({ ADMIN_TOKEN: '' });
    await first.ready();
    const token = /\n {2}(hub_[\w-]{43})\n/.exec(first.stderr)?.[1] ?? '';
    expect(token).not.toBe('');
    expect(await statusWith(first, token)).toBe(200);
    expect(await statusWith(first, `${token}x`)).toBe(401);
    const { stdout } = await first.end('SIGTERM');
    expect(stdout).not.toContain(token);

    const second = await spawn({ ADMIN_TOKEN: '' });
    await second.ready();
    expect(second.stderr).toBe('');
    expect(await statusWith(second, token)).toBe(200);
    await second.end('SIGTERM');
    const database = new Libsql(join(folder, 'data/hub.sqlite'));
    const stored = database.prepare('SELECT * FROM setting').all();
    expect(stored).toHaveLength(1);
    expect(JSON.stringify(stored)).not.toContain(token);

    const third = await spawn();
    await third.ready();
    expect(third.stderr).toBe('');
    expect(await statusWith(third, ADMIN_TOKEN)).toBe(200);
    expect(await statusWith(third, token)).toBe(401);
  });

  it('leaves all data in the one file when it stops: a copy of that is a backup', async () => {
    await runOnce();
    const copy = join(folder, 'copy.sqlite');
    copyFileSync(join(folder, 'data/hub.sqlite'), copy);
    const rows = new Libsql(copy).prepare('SELECT appid FROM component').all();
    expect(rows).toEqual([{ appid: COMPONENT.appid }]);
  });

  it('names lines of src where it fails', async () => {
    const failing = 'process.umask = () => { throw new Error("a fault"); }';
    const hub = await StartedHub.spawn(folder, {
      ...SETTINGS,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(failing)}`,
    });
    const { stdout, stderr } = await hub.end();
    expect(stdout + stderr).toMatch(/a fault.*at start \(\S+\/src\/start\.ts:\d+:\d+\)/);
  });

  it('makes Node load no undici, which nobody here uses', async () => {
    const tell = "process.on('exit', () => process._rawDebug(process.moduleLoadList.join()))";
    const hub = await runOnce({
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(tell)}`,
    });
    expect(hub.stderr).toContain('NativeModule http,');
    expect(hub.stderr).not.toContain('undici/undici');
  });

  it('writes what a library warns of on the console as lines of its log', async () => {
    const warn = encodeURIComponent("setInterval(() => console.warn('late'), 5).unref()");
    const hub = await spawn({ NODE_OPTIONS: `--import data:text/javascript,${warn}` });
    await hub.ready();
    const { stdout } = await hub.end('SIGTERM');
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines).toContainEqual(expect.objectContaining({ level: 'warn', message: 'late' }));
  });

  it.each<NodeJS.Signals>(['SIGTERM', 'SIGINT'])('ends with code 0 on %s', async (signal) => {
    const hub = await spawn();
    await hub.ready();
    const started = performance.now();
    const { code, stdout, stderr } = await hub.end(signal);
    expect(code).toBe(0);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(stderr).toBe('');
    for (const line of stdout.trim().split('\n')) {
      expect(JSON.parse(line)).toMatchObject({ level: expect.any(String) });
    }
    expect(stdout).not.toMatch(/"level":"(error|fatal)"/);
  });
});
