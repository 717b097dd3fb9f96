import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse, type CollectionTag } from 'yaml';
import { parseConfig, type AppConfig } from '../../src/config/app-config.js';
import { readValueFiles } from '../../src/config/value-files.js';
import { variables } from '../../src/config/variables.js';

interface Service {
  image?: string;
  environment: Record<string, string | null>;
  secrets: string[];
  healthcheck?: { test: string[] };
  mem_limit?: string;
  cpus?: string;
  pids_limit?: number;
  logging?: { options?: Record<string, string> };
  read_only?: boolean;
  [key: string]: unknown;
}

const ROOT = join(import.meta.dirname, '../..');
const SCRIPT = join(ROOT, 'ops/compose-secrets.sh');
const { services, secrets } = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8')) as {
  services: Record<'hub' | 'mysql', Service>;
  secrets: Record<string, { file: string }>;
};
/** Those that the image, or the port that is published, decides. */
const OF_THE_IMAGE = ['HOST', 'PORT'];

describe('docker-compose.yml', () => {
  it('gives the hub every variable, by value or by file', () => {
    const { environment } = services.hub;
    const given = Object.keys(environment).map((name) => name.replace(/_FILE$/, ''));
    const wanted = Object.keys(variables).filter((name) => !OF_THE_IMAGE.includes(name));
    expect(given.toSorted()).toEqual(wanted.toSorted());
  });

  it.each(Object.entries(services))('mounts what %s names, and has it made', (_, service) => {
    const named = Object.values(service.environment).flatMap(
      (value) => /^\/run\/secrets\/(.*)$/.exec(value ?? '')?.[1] ?? [],
    );
    expect(named.toSorted()).toEqual(service.secrets.toSorted());
    for (const name of named) expect(secrets[name]?.file).toBe(`./secrets/${name}`);
  });

  it.each(Object.entries(services))(
    'limits memory, processor and processes of %s',
    (_, service) => {
      const { mem_limit: memory, cpus, pids_limit: pids } = service;
      expect([memory, cpus]).toEqual([
        expect.stringMatching(/:-\d+g}$/),
        expect.stringMatching(/:-\d+}$/),
      ]);
      expect(pids).toBeGreaterThan(100);
    },
  );

  it('keeps the root of the hub read-only, and passwords out of arguments', () => {
    expect(services.hub.read_only).toBe(true);
    const check = services.mysql.healthcheck?.test.join(' ') ?? '';
    expect(check).toContain('--defaults-extra-file=');
    expect(check).not.toMatch(/\s-p|--password|MYSQL_PWD/);
  });

  it('runs the hub with the flags of `npm start` and of the unit in the documents', () => {
    const scripts = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts;
    const flagsOf = (text = ''): string[] => text.match(/--\w[\w-]*=\w+/g) ?? [];
    const lineOf = (file: string, begin: string): string | undefined =>
      readFileSync(join(ROOT, file), 'utf8')
        .split('\n')
        .find((line) => line.startsWith(begin));
    const flags = flagsOf(scripts['start:prod']);
    expect(flags.length).toBeGreaterThan(0);
    expect(flagsOf(scripts.start)).toEqual(flags);
    expect(flagsOf(lineOf('Dockerfile', 'CMD '))).toEqual(flags);
    expect(flagsOf(lineOf('docs/operations.md', 'ExecStart='))).toEqual(flags);
  });

  it('can be pinned to digests', () => {
    const { args } = services.hub.build as { args: Record<string, string> };
    expect(args.NODE_IMAGE).toMatch(/^\$\{NODE_IMAGE:-node:.*}$/);
    expect(services.mysql.image).toMatch(/^\$\{MYSQL_IMAGE:-mysql:.*}$/);
    const stages = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').match(/^FROM .*$/gm) ?? [];
    for (const stage of stages) {
      expect(stage).toMatch(/^FROM (\$\{NODE_IMAGE\}|manifest)( AS \w+)?$/);
    }
  });
});

describe.each(['two-hubs.yml', 'galera.yml'])('ops/compose/%s', (name) => {
  // Tags of Compose, by which a file that is laid over another one takes away.
  const customTags: CollectionTag[] = [{ tag: '!reset', collection: 'seq', resolve: () => [] }];
  const text = readFileSync(join(ROOT, 'ops/compose', name), 'utf8');
  const added = parse(text, { merge: true, customTags }) as {
    services: Record<string, Partial<Service> & { volumes?: string[] }>;
    volumes?: Record<string, null>;
  };

  it('gives the hub variables that it has', () => {
    const given = Object.keys(added.services.hub?.environment ?? {});
    expect(Object.keys(variables)).toEqual(expect.arrayContaining(given));
  });

  it('mounts files and volumes that there are, and secrets that are made', () => {
    for (const service of Object.values(added.services)) {
      for (const volume of service.volumes ?? []) {
        const [source = ''] = volume.split(':');
        if (source.startsWith('./')) expect(statSync(join(ROOT, source)).isFile()).toBe(true);
        else expect(Object.keys(added.volumes ?? {})).toContain(source);
      }
      for (const secret of service.secrets ?? []) expect(Object.keys(secrets)).toContain(secret);
    }
  });

  it('limits what it adds, and can be pinned to digests', () => {
    const own = Object.entries(added.services).filter(([service]) => !(service in services));
    expect(own).not.toEqual([]);
    for (const [, { mem_limit: memory, cpus, pids_limit: pids, logging, image }] of own) {
      expect(memory).toMatch(/:-\d+g}$/);
      expect(cpus).toMatch(/:-\d+}$/);
      expect(pids).toBeGreaterThan(100);
      expect(logging).toEqual(services.hub.logging);
      expect(image).toMatch(/^\$\{[A-Z]+_IMAGE:-[a-z]+:[\d.]+}$/);
    }
  });
});

describe('ops/compose/two-hubs.yml', () => {
  it('lets HAProxy see a hub go before it goes', () => {
    const text = readFileSync(join(ROOT, 'ops/compose/two-hubs.yml'), 'utf8');
    const [, delay] = /STOP_DELAY_SECONDS:-(\d+)/.exec(text) ?? [];
    const [, grace] = /HUB_STOP_GRACE:-(\d+)s/.exec(text) ?? [];
    const proxy = readFileSync(join(ROOT, 'ops/compose/haproxy.cfg'), 'utf8');
    const [, interval, fall] = /inter (\d+)s fall (\d+)/.exec(proxy) ?? [];
    expect(Number(delay)).toBeGreaterThan(Number(interval) * Number(fall));
    expect(Number(grace)).toBeGreaterThan(Number(delay) + 10);
    expect(proxy).toMatch(/server-template .* hub:3000 check/);
  });
});

describe('ops/compose-secrets.sh', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hub-compose-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const run = (): string => execFileSync('sh', [SCRIPT], { cwd: folder, encoding: 'utf8' });
  const read = (name: string): string => readFileSync(join(folder, 'secrets', name), 'utf8');
  const ENV =
    'WECHAT_COMPONENT_APPSECRET="fake-app-secret-value"\r\nWECHAT_COMPONENT_TOKEN=fakeToken0\r\n' +
    `WECHAT_COMPONENT_TOKEN=fakeCallbackToken\r\n#WECHAT_COMPONENT_TOKEN=fakeOther\r\n` +
    `WECHAT_COMPONENT_ENCODING_AES_KEY=Zk7Qm2XvT9bR4nLcW1yHs8PdJ6uGfA3eKxViNtO5aBg\r\n`;

  /** What the hub of the container reads of them. */
  function config(appid = 'wx0123456789abcdef'): AppConfig {
    const { environment } = services.hub;
    const files = Object.entries(environment).filter(([name]) => name.endsWith('_FILE'));
    const given = files.map(([name, path]) => [
      name,
      (path ?? '').replace('/run/secrets', join(folder, 'secrets')),
    ]);
    const { env, unreadable } = readValueFiles(Object.fromEntries(given));
    return parseConfig({ ...env, WECHAT_COMPONENT_APPID: appid }, { unreadable });
  }

  it('makes what the hub starts with, once, readable in containers only', () => {
    writeFileSync(join(folder, '.env'), ENV);
    run();
    const { firstComponent, adminToken, masterKeys, database } = config();
    expect(firstComponent?.appSecret.reveal()).toBe('fake-app-secret-value');
    expect(firstComponent?.token.reveal()).toBe('fakeCallbackToken');
    expect(adminToken?.reveal()).toMatch(/^[0-9a-f]{48}$/);
    expect(masterKeys).toEqual([{ id: 'k1', key: expect.any(Buffer) }]);
    expect(database.type === 'mysql' && database.url.reveal()).toBe(
      `mysql://hub:${read('mysql_password')}@mysql:3306/hub`,
    );
    expect(statSync(join(folder, 'secrets')).mode & 0o777).toBe(0o700);
    const files = readdirSync(join(folder, 'secrets'));
    expect(files.toSorted()).toEqual(Object.keys(secrets).toSorted());
    const before = files.map(read);
    for (const name of files) {
      expect(statSync(join(folder, 'secrets', name)).mode & 0o777).toBe(0o644);
    }
    writeFileSync(join(folder, '.env'), 'ADMIN_TOKEN=fake-admin-token-of-24-characters\n');
    run();
    expect(files.map(read)).toEqual(before);
  });

  it('takes over what an earlier .env has', () => {
    const key = Buffer.alloc(32, 'a').toString('base64');
    const own = `ADMIN_TOKEN=fake-admin-token-of-24-characters\nMASTER_KEYS=k7:${key}\n`;
    writeFileSync(join(folder, '.env'), `${ENV}${own}MYSQL_PASSWORD='fakemysqlpassword'\n`);
    run();
    expect(read('admin_token')).toBe('fake-admin-token-of-24-characters');
    expect(read('master_keys')).toBe(`k7:${key}`);
    expect(read('database_url')).toBe('mysql://hub:fakemysqlpassword@mysql:3306/hub');
  });

  it('names several hosts of the database where .env does', () => {
    writeFileSync(join(folder, '.env'), 'MYSQL_HOSTS=mysql:3306,mysql-2:3306,mysql-3:3306\n');
    run();
    const url = `mysql://hub:${read('mysql_password')}@mysql:3306,mysql-2:3306,mysql-3:3306/hub`;
    expect(read('database_url')).toBe(url);
    expect(config('').database.type).toBe('mysql');
  });

  it('reads .env as Node.js does', () => {
    const lines = [
      'export ADMIN_TOKEN=fake-admin-token-of-24-characters   # a trial',
      `WECHAT_COMPONENT_APPSECRET="fake # app-secret" # of the console`,
      "WECHAT_COMPONENT_TOKEN='fakeCallbackToken' # the newest",
      'WECHAT_COMPONENT_ENCODING_AES_KEY= fakeKey',
    ];
    writeFileSync(join(folder, '.env'), lines.join('\r\n'));
    run();
    expect(parseEnv(lines.join('\n').replace('export ', ''))).toEqual({
      ADMIN_TOKEN: read('admin_token'),
      WECHAT_COMPONENT_APPSECRET: read('wechat_component_appsecret'),
      WECHAT_COMPONENT_TOKEN: read('wechat_component_token'),
      WECHAT_COMPONENT_ENCODING_AES_KEY: read('wechat_component_encoding_aes_key'),
    });
  });

  it('lets the hub start without a platform, and takes over one that is added to .env later', () => {
    run();
    expect(config('').firstComponent).toBeUndefined();
    writeFileSync(join(folder, '.env'), ENV);
    run();
    expect(config().firstComponent?.token.reveal()).toBe('fakeCallbackToken');
  });
});
