import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { Secret } from '../common/secret.js';
import { ConfigError, parseConfig, readConfig, type AppConfig } from './app-config.js';
import { variables, type Variable, type VariableName } from './variables.js';

const COMPONENT = {
  WECHAT_COMPONENT_APPID: 'wx0123456789abcdef',
  WECHAT_COMPONENT_APPSECRET: 'fake-app-secret-value',
  WECHAT_COMPONENT_TOKEN: 'fakeCallbackToken',
  WECHAT_COMPONENT_ENCODING_AES_KEY: 'Zk7Qm2XvT9bR4nLcW1yHs8PdJ6uGfA3eKxViNtO5aBg',
};
const KEY_A = Buffer.alloc(32, 'a').toString('base64');
const KEY_B = Buffer.alloc(32, 'b').toString('base64');
const MYSQL = 'mysql://hub:fake-db-password@db.example:3306/hub';

/** The message of a refused configuration. */
function problemsOf(env: Record<string, string | undefined>): string {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('The configuration was accepted');
}

/** Lines of the message, each about one variable. */
function namedIn(message: string): string[] {
  return message
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(':')[0] ?? '');
}

describe('parseConfig of an empty environment', () => {
  it('has a default for every variable that needs one', () => {
    const config: AppConfig = parseConfig({});
    expect(config).toEqual({
      host: '127.0.0.1',
      port: 3000,
      publicUrl: 'http://127.0.0.1:3000',
      trustedProxies: [],
      database: { type: 'sqlite', path: './data/hub.sqlite' },
      firstComponent: undefined,
      previousKeyHours: 168,
      wechatApi: { baseUrl: 'https://api.weixin.qq.com', timeoutMs: 5000 },
      proxies: { https: undefined, http: undefined, noProxy: '', forDeliveries: false },
      callbackTimestampWindowSeconds: 600,
      adminToken: undefined,
      metricsToken: undefined,
      masterKeys: undefined,
      legacyTicketPlaintext: false,
      eventRetentionDays: 7,
      messageRetentionDays: 7,
      auditRetentionDays: 400,
      statisticsRetentionDays: 400,
      authorizerWarmDays: 7,
      authorizationReturnOrigins: [],
      delivery: { allowedTargets: [], timeoutMs: 15_000 },
      gateway: {
        timeoutMs: 30_000,
        bodyLimit: 67_108_864,
        concurrency: 250,
        tokens: 'standin',
        hosts: [],
      },
      logLevel: 'info',
      openEndpoints: ['docs', 'metrics'],
      workers: 1,
      stopDelaySeconds: 0,
      allowInsecure: [],
      warnings: [],
      settings: expect.any(Array),
      files: [],
    });
  });

  it('is the same when every variable is set to nothing', () => {
    const empty = Object.fromEntries(Object.keys(variables).map((name) => [name, '']));
    expect(parseConfig(empty)).toEqual(parseConfig({}));
  });

  it('gives something that cannot be changed', () => {
    expect(Object.isFrozen(parseConfig({}))).toBe(true);
  });

  it('ignores the variables of others', () => {
    expect(parseConfig({ PATH: '/usr/bin', NODE_ENV: 'production' })).toEqual(parseConfig({}));
  });
});

describe('parseConfig', () => {
  it('reads the first third-party platform', () => {
    const { firstComponent } = parseConfig({
      ...COMPONENT,
      WECHAT_COMPONENT_PREVIOUS_TOKEN: 'fakeTokenBefore',
    });
    expect(firstComponent?.appid).toBe(COMPONENT.WECHAT_COMPONENT_APPID);
    expect(firstComponent?.appSecret.reveal()).toBe(COMPONENT.WECHAT_COMPONENT_APPSECRET);
    expect(firstComponent?.token.reveal()).toBe(COMPONENT.WECHAT_COMPONENT_TOKEN);
    expect(firstComponent?.encodingAesKey.reveal()).toBe(
      COMPONENT.WECHAT_COMPONENT_ENCODING_AES_KEY,
    );
    expect(firstComponent?.previousToken?.reveal()).toBe('fakeTokenBefore');
    expect(firstComponent?.previousEncodingAesKey).toBeUndefined();
  });

  it('reads master keys in their order, with their ids', () => {
    const { masterKeys } = parseConfig({ MASTER_KEYS: `new:${KEY_B}, old:${KEY_A}` });
    expect(masterKeys).toEqual([
      { id: 'new', key: Buffer.alloc(32, 'b') },
      { id: 'old', key: Buffer.alloc(32, 'a') },
    ]);
  });

  it('reads a MySQL URL, which holds a password, as a secret', () => {
    const { database } = parseConfig({ DATABASE_URL: MYSQL, MASTER_KEYS: `k:${KEY_A}` });
    expect(database.type === 'mysql' && database.url.reveal()).toBe(MYSQL);
    expect(JSON.stringify(database)).not.toContain('fake-db-password');
  });

  it.each([
    [{}, 'http://127.0.0.1:3000'],
    [{ HOST: '0.0.0.0', PORT: '80' }, 'http://127.0.0.1:80'],
    [{ HOST: '::' }, 'http://127.0.0.1:3000'],
    [{ HOST: '::1' }, 'http://[::1]:3000'],
    [{ HOST: 'hub.internal', PORT: '8080' }, 'http://hub.internal:8080'],
    [{ HOST: '0.0.0.0', PUBLIC_URL: 'https://hub.example.com//' }, 'https://hub.example.com'],
  ])('with %o is seen at %s', (env, publicUrl) => {
    expect(parseConfig(env).publicUrl).toBe(publicUrl);
  });

  it('drops a slash at the end of the API base URL', () => {
    const { wechatApi } = parseConfig({ WECHAT_API_BASE_URL: 'http://127.0.0.1:3100/' });
    expect(wechatApi.baseUrl).toBe('http://127.0.0.1:3100');
  });
});

describe('parseConfig refuses', () => {
  it.each<[VariableName, string]>([
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '80a'],
    ['PORT', '1e3'],
    ['DATABASE_URL', 'postgres://db/hub'],
    ['DATABASE_URL', 'sqlite:'],
    ['DATABASE_URL', './data/hub.sqlite'],
    ['DATABASE_URL', 'mysql://'],
    ['DATABASE_URL', 'mysql://hub:fake-db-password@db.example:3306'],
    ['DATABASE_URL', 'mysql://hub:fake-db-password@db.example:3306/'],
    ['DATABASE_URL', 'mysql:///hub'],
    ['DATABASE_URL', `${MYSQL}?sslmode=prefer`],
    ['DATABASE_URL', 'sqlite:./data/hub.sqlite?mode=ro'],
    ['DATABASE_URL', 'sqlite:file:./data/hub.sqlite'],
    ['DATABASE_URL', 'sqlite:https://db.example/hub'],
    ['DATABASE_URL', 'sqlite::memory:'],
    ...['[::1]', '300.1.1.1', '1.2', 'a b', 'a/b', 'hub:3000', '-a', 'a..b', '0x7f.1'].map(
      (value): [VariableName, string] => ['HOST', value],
    ),
    ['AUTHORIZATION_RETURN_ORIGINS', 'https://*.example.com'],
    ['PUBLIC_URL', 'hub.example.com'],
    ['PUBLIC_URL', 'ftp://hub.example.com'],
    ['PUBLIC_URL', 'https://'],
    ['PUBLIC_URL', 'https://hub.example.com/?a=b'],
    ['WECHAT_API_BASE_URL', 'https://hub:fake-password@api.weixin.qq.com'],
    ['WORKERS', '0'],
    ['WORKERS', '65'],
    ['WORKERS', 'all'],
    ['STOP_DELAY_SECONDS', '301'],
    ['ALLOW_INSECURE', 'http-api,everything'],
    ['WECHAT_API_BASE_URL', 'api.weixin.qq.com'],
    ['WECHAT_API_BASE_URL', 'https:/'],
    ['WECHAT_COMPONENT_APPID', 'wx 0123456789abcd'],
    ['WECHAT_COMPONENT_APPSECRET', 'short'],
    ['WECHAT_COMPONENT_TOKEN', 'has spaces'],
    ['WECHAT_COMPONENT_ENCODING_AES_KEY', 'Zk7Qm2XvT9bR4nLcW1yHs8PdJ6uGfA3eKxViNtO5aB'],
    ['WECHAT_COMPONENT_ENCODING_AES_KEY', 'Zk7Qm2XvT9bR4nLcW1yHs8PdJ6uGfA3eKxViNtO5aBg='],
    ['WECHAT_COMPONENT_PREVIOUS_TOKEN', 'é'],
    ['WECHAT_COMPONENT_PREVIOUS_ENCODING_AES_KEY', 'too-short'],
    ['PREVIOUS_KEY_HOURS', '721'],
    ['WECHAT_API_TIMEOUT_MS', '0'],
    ['WECHAT_API_TIMEOUT_MS', '10001'],
    ['CALLBACK_TIMESTAMP_WINDOW_SECONDS', '0'],
    ['ADMIN_TOKEN', 'short'],
    ['ADMIN_TOKEN', 'with a space'],
    ['ADMIN_TOKEN', 'fake-token-of-23-chars-'],
    ...[
      'nginx',
      '10.0.0.0/33',
      '0.0.0.0/0',
      '0.0.0.0/1',
      '10.0.0.0/7',
      '::/0',
      '2000::/15',
      '10.0.0.1,',
      'fe80::1%eth0',
      'loopback',
      '10.1',
      '::ffff:0:0/96',
    ].map((value): [VariableName, string] => ['TRUSTED_PROXIES', value]),
    ['MASTER_KEYS', 'no-colon'],
    ['MASTER_KEYS', `k1:${KEY_A.slice(4)}`],
    ['MASTER_KEYS', `k1:${KEY_A},`],
    ['MASTER_KEYS', `:${KEY_A}`],
    ['MASTER_KEYS', `k1:${KEY_A},k1:${KEY_B}`],
    ['LEGACY_TICKET_PLAINTEXT', 'yes'],
    ['EVENT_RETENTION_DAYS', '0'],
    ['LOG_LEVEL', 'verbose'],
  ])('%s=%s, names it alone, and shows an example that works', (name, value) => {
    const message = problemsOf({ ...COMPONENT, MASTER_KEYS: `k:${KEY_A}`, [name]: value });
    expect(namedIn(message)).toEqual([name]);
    expect(message).toContain(`(example: ${name}=${variables[name].example})`);
    if (value.length > 9) expect(message.replace(/\(example.*/g, '')).not.toContain(value);
  });

  it.each(Object.keys(COMPONENT) as VariableName[])('the platform without %s', (name) => {
    expect(namedIn(problemsOf({ ...COMPONENT, [name]: '' }))).toEqual([name]);
  });

  it('one variable of the platform alone, naming the three others', () => {
    const { WECHAT_COMPONENT_APPID } = COMPONENT;
    expect(namedIn(problemsOf({ WECHAT_COMPONENT_APPID }))).toEqual([
      'WECHAT_COMPONENT_APPSECRET',
      'WECHAT_COMPONENT_TOKEN',
      'WECHAT_COMPONENT_ENCODING_AES_KEY',
    ]);
  });

  it('a previous Token without a platform', () => {
    const message = problemsOf({ WECHAT_COMPONENT_PREVIOUS_TOKEN: 'fakeTokenBefore' });
    expect(namedIn(message)).toEqual(Object.keys(COMPONENT));
  });

  it('several workers with SQLite, and takes them with MySQL', () => {
    const message = problemsOf({ WORKERS: '2' });
    expect(namedIn(message)).toEqual(['WORKERS']);
    expect(message).toContain('must be 1 with SQLite');
    const mysql = { DATABASE_URL: MYSQL, MASTER_KEYS: `k:${KEY_A}` };
    expect(parseConfig({ ...mysql, WORKERS: '2' }).workers).toBe(2);
    expect(parseConfig({ ...mysql, WORKERS: 'auto' }).workers).toBe(availableParallelism());
  });

  it('MySQL without master keys', () => {
    const message = problemsOf({ DATABASE_URL: MYSQL });
    expect(namedIn(message)).toEqual(['MASTER_KEYS']);
    expect(message).toContain('is needed with MySQL');
    expect(message).not.toContain('db.example');
  });

  it('with one message that names all that is wrong and repeats no secret', () => {
    const secrets = {
      ADMIN_TOKEN: 'fake admin token with spaces',
      DATABASE_URL: 'mysqls://hub:fake-db-password@db.example/hub',
      MASTER_KEYS: 'k1:ZmFrZS1idXQtdG9vLXNob3J0',
      WECHAT_COMPONENT_APPSECRET: 'fake-secret-'.repeat(20),
      WECHAT_COMPONENT_TOKEN: 'fake token with spaces',
      WECHAT_COMPONENT_ENCODING_AES_KEY: 'Zk7Qm2XvT9bR4nLcW1yHs8PdJ6uGfA3eKxViNtO5aB',
    };
    const message = problemsOf({ ...secrets, PORT: 'http' });
    expect(namedIn(message).toSorted()).toEqual(
      ['PORT', 'WECHAT_COMPONENT_APPID', ...Object.keys(secrets)].toSorted(),
    );
    for (const value of Object.values(secrets)) expect(message).not.toContain(value);
  });
});

describe('parseConfig reads through what nobody sees', () => {
  const PLATFORM = { ...COMPONENT, WECHAT_COMPONENT_PREVIOUS_TOKEN: 'fakeTokenBefore' };

  it.each(['\n', '\r\n', ' ', '\u00a0', '\u200b', '\ufeff'])('%j at both ends', (end) => {
    const given = { ...PLATFORM, DATABASE_URL: 'sqlite:./x.sqlite', PORT: '80', LOG_LEVEL: 'warn' };
    const { WECHAT_COMPONENT_APPSECRET: secret, ...others } = {
      ...given,
      ADMIN_TOKEN: 'fake-admin-token-of-24-characters',
      MASTER_KEYS: `k:${KEY_A}`,
      LEGACY_TICKET_PLAINTEXT: 'true',
      PUBLIC_URL: 'https://hub.example.com',
      HOST: '::1',
    };
    const dressed = Object.entries(others).map(([name, value]) => [name, end + value + end]);
    const config = parseConfig({
      ...Object.fromEntries(dressed),
      WECHAT_COMPONENT_APPSECRET: secret,
    });
    expect(plain(config)).toEqual(
      plain(parseConfig({ ...others, WECHAT_COMPONENT_APPSECRET: secret })),
    );
  });

  it('line ends of an AppSecret, and no other end of it', () => {
    const read = (WECHAT_COMPONENT_APPSECRET: string): string | undefined =>
      parseConfig({ ...PLATFORM, WECHAT_COMPONENT_APPSECRET }).firstComponent?.appSecret.reveal();
    expect(read('fake-app-secret-value\r\n')).toBe('fake-app-secret-value');
    expect(() => read('fake-app-secret-value ')).toThrow(
      'WECHAT_COMPONENT_APPSECRET: character 22 is U+0020 (a space)',
    );
  });

  it.each(Object.keys(variables) as VariableName[])('of %s, or says where it stands', (name) => {
    const { example } = variables[name];
    const value = `${example}\u200b${example}`;
    const message = problemsOf({ ...COMPONENT, MASTER_KEYS: `k:${KEY_A}`, [name]: value });
    expect(namedIn(message)).toEqual([name]);
    expect(message).toContain(
      `${name}: character ${example.length + 1} is U+200B (a zero width space)`,
    );
  });

  it('but takes nothing else than a line end for nothing', () => {
    expect(parseConfig({ ADMIN_TOKEN: '\r\n' }).adminToken).toBeUndefined();
    expect(problemsOf({ ADMIN_TOKEN: ' ' })).toContain(
      'ADMIN_TOKEN: has nothing but invisible characters',
    );
  });
});

describe('parseConfig with settings that undo the protection', () => {
  const INSECURE: [string, Record<string, string>, string][] = [
    ['http-api', { WECHAT_API_BASE_URL: 'http://wechat.example' }, 'WECHAT_API_BASE_URL'],
    ['http-api', { WECHAT_API_BASE_URL: 'http://10.0.0.7:3100' }, 'WECHAT_API_BASE_URL'],
    ['http-api', { WECHAT_API_BASE_URL: 'HTTP://127.0.0.1.example' }, 'WECHAT_API_BASE_URL'],
    ['http-api', { WECHAT_API_BASE_URL: 'http://[2001:db8::1]' }, 'WECHAT_API_BASE_URL'],
    ['http-api', { WECHAT_API_BASE_URL: 'http://localhost.example' }, 'WECHAT_API_BASE_URL'],
    ['http-api', { WECHAT_API_BASE_URL: 'http://simulator:3100' }, 'WECHAT_API_BASE_URL'],
    ['tls-off', { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, 'NODE_TLS_REJECT_UNAUTHORIZED'],
    ['tls-off', { NODE_OPTIONS: '--tls-keylog=/tmp/x' }, 'NODE_OPTIONS'],
    ['debug-output', { NODE_DEBUG: 'fs,http' }, 'NODE_DEBUG'],
    ['debug-output', { NODE_DEBUG: '*' }, 'NODE_DEBUG'],
    ['wide-targets', { DELIVERY_ALLOWED_TARGETS: '0.0.0.0/0' }, 'DELIVERY_ALLOWED_TARGETS'],
    [
      'wide-targets',
      { DELIVERY_ALLOWED_TARGETS: 'a.example,128.0.0.0/1' },
      'DELIVERY_ALLOWED_TARGETS',
    ],
    ['wide-targets', { DELIVERY_ALLOWED_TARGETS: '::/0' }, 'DELIVERY_ALLOWED_TARGETS'],
    ['wide-targets', { DELIVERY_ALLOWED_TARGETS: '::ffff:0:0/96' }, 'DELIVERY_ALLOWED_TARGETS'],
  ];

  it.each(INSECURE)('refuses them unless ALLOW_INSECURE has %s: %o', (insecure, env, name) => {
    const message = problemsOf(env);
    expect(namedIn(message)).toEqual([name]);
    expect(message).toContain(`ALLOW_INSECURE=${insecure}`);
    const others = ['http-api', 'tls-off', 'debug-output', 'wide-targets'].filter(
      (other) => other !== insecure,
    );
    expect(namedIn(problemsOf({ ...env, ALLOW_INSECURE: others.join(',') }))).toEqual([name]);
    const { warnings } = parseConfig({
      ...env,
      ALLOW_INSECURE: `${others.join(', ')}, ${insecure}`,
    });
    expect(warnings).toEqual([expect.stringMatching(`^${name} .*as ALLOW_INSECURE says$`)]);
  });

  it.each([
    { WECHAT_API_BASE_URL: 'http://127.0.0.1:3100' },
    { WECHAT_API_BASE_URL: 'http://127.8.9.1' },
    { WECHAT_API_BASE_URL: 'http://[::1]:3100' },
    { WECHAT_API_BASE_URL: 'http://localhost:3100' },
    { WECHAT_API_BASE_URL: 'https://wechat.example' },
    { NODE_TLS_REJECT_UNAUTHORIZED: '1' },
    { NODE_DEBUG: 'timer' },
    { DELIVERY_ALLOWED_TARGETS: '10.0.0.0/8,fc00::/7,192.168.1.0/24,hooks.internal' },
    { PUBLIC_URL: 'https://hub.example.com' },
    { PUBLIC_URL: 'http://192.168.1.7:3000' },
    { PUBLIC_URL: 'http://hub' },
    { MASTER_KEYS: `k:${KEY_A}`, DATABASE_URL: 'mysql://hub@mysql:3306/hub' },
    { MASTER_KEYS: `k:${KEY_A}`, DATABASE_URL: 'mysql://hub@10.0.0.7/hub' },
    { MASTER_KEYS: `k:${KEY_A}`, DATABASE_URL: `${MYSQL}?tls=true` },
  ])('finds nothing in %o', (env) => {
    expect(parseConfig(env).warnings).toEqual([]);
  });

  it.each([
    [{ PUBLIC_URL: 'http://hub.example.com' }, 'PUBLIC_URL'],
    [{ AUTHORIZATION_RETURN_ORIGINS: 'http://app.example.com' }, 'AUTHORIZATION_RETURN_ORIGINS'],
    [{ CALLBACK_TIMESTAMP_WINDOW_SECONDS: '7200' }, 'CALLBACK_TIMESTAMP_WINDOW_SECONDS'],
    [{ MASTER_KEYS: `k:${KEY_A}`, DATABASE_URL: MYSQL }, 'DATABASE_URL'],
    [{ MASTER_KEYS: `k:${KEY_A}`, DATABASE_URL: `${MYSQL}?tls=skip-verify` }, 'DATABASE_URL'],
  ])('warns of %o', (env, name) => {
    const { warnings } = parseConfig(env);
    expect(warnings).toEqual([expect.stringMatching(`^${name} `)]);
    expect(warnings.join('')).not.toContain('fake-db-password');
  });

  it.each([
    ['ADMIN_TOKEN', variables.ADMIN_TOKEN.example],
    ['METRICS_TOKEN', variables.METRICS_TOKEN.example],
    ['MASTER_KEYS', variables.MASTER_KEYS.example],
    ['MASTER_KEYS', `k9:${KEY_A},other:${variables.MASTER_KEYS.example.slice(3)}`],
  ])('refuses the sample of %s', (name, value) => {
    const message = problemsOf({ [name]: value, ALLOW_INSECURE: 'key-file-mode' });
    expect(namedIn(message)).toEqual([name]);
    expect(message).toContain('openssl rand');
  });
});

/** A configuration with its secrets as text. */
function plain(config: AppConfig): unknown {
  return JSON.parse(
    JSON.stringify(config, (_, value: unknown) =>
      value instanceof Secret ? value.reveal() : value,
    ),
  );
}

describe('what is served without the token', () => {
  const openAt = (env: Record<string, string>): unknown => parseConfig(env).openEndpoints;

  it.each([
    [{ HOST: '127.0.0.1' }, ['docs', 'metrics']],
    [{ HOST: 'localhost' }, ['docs', 'metrics']],
    [{ HOST: '::1' }, ['docs', 'metrics']],
    [{ HOST: '0.0.0.0' }, []],
    [{ HOST: '::' }, []],
    [{ HOST: '10.0.0.1' }, []],
    [{ HOST: '0.0.0.0', OPEN_ENDPOINTS: 'metrics' }, ['metrics']],
    [{ HOST: '127.0.0.1', OPEN_ENDPOINTS: 'none' }, []],
    [{ HOST: '127.0.0.1', OPEN_ENDPOINTS: '' }, ['docs', 'metrics']],
    [{ HOST: '0.0.0.0', OPEN_ENDPOINTS: '' }, []],
    [{ METRICS_TOKEN: 'fake-metrics-token-of-the-tests' }, ['docs']],
    [{ METRICS_TOKEN: 'fake-metrics-token-of-the-tests', OPEN_ENDPOINTS: 'metrics' }, []],
  ])('with %j is %j', (env, open) => {
    expect(openAt(env)).toEqual(open);
  });
});

describe('what can be read of settings with problems', () => {
  it('has the default of what is wrong, and says which variables that is', () => {
    const given = { PORT: 'x', HOST: '::1', DATABASE_URL: 'mysql://a:b@c/d' };
    const { config, problems } = readConfig(given);
    expect(config).toMatchObject({ port: 3000, host: '::1', database: { type: 'mysql' } });
    expect(problems.map(({ name }) => name)).toEqual(['PORT', 'MASTER_KEYS']);
  });
});

describe('the settings as they are shown', () => {
  const secret = Object.entries<Variable>(variables).filter(([, variable]) => variable.secret);

  it('say where each comes from', () => {
    const given = { PORT: '3001', LOG_LEVEL: 'debug' };
    const { settings } = parseConfig(given, { sources: new Map([['PORT', '.env']]) });
    const shown = settings.map(({ name, source, value }) => [name, source, value]);
    expect(shown.length).toBe(Object.keys(variables).length);
    expect(shown).toEqual(
      expect.arrayContaining([
        ['PORT', '.env', '3001'],
        ['LOG_LEVEL', 'environment', 'debug'],
        ['EVENT_RETENTION_DAYS', 'default', '7'],
        ['PUBLIC_URL', 'default', null],
      ]),
    );
  });

  it('hide what is a secret', () => {
    const names = secret.map(([name]) => name);
    const secretLike = /SECRET|TOKEN$|_KEY$|KEYS$|^DATABASE_URL$|^(?!NO_|DELIVERY_USE_).*PROXY$/;
    expect(names.toSorted()).toEqual(
      Object.keys(variables)
        .filter((name) => secretLike.test(name))
        .toSorted(),
    );
    const given = Object.fromEntries(secret.map(([name, { example }]) => [name, example]));
    const { settings } = parseConfig({
      ...given,
      WECHAT_COMPONENT_APPID: 'wx0123456789abcdef',
      // The samples are refused.
      ADMIN_TOKEN: 'a-token-that-is-no-sample-1',
      METRICS_TOKEN: 'a-token-that-is-no-sample-2',
      MASTER_KEYS: `k1:${KEY_A}`,
    });
    for (const name of names) {
      expect(settings.find((one) => one.name === name)).toMatchObject({ value: 'set' });
    }
  });
});
