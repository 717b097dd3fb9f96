import { describe, expect, it } from 'vitest';
import { ConfigError, parseConfig, type AppConfig } from './app-config.js';
import { variables, type VariableName } from './variables.js';

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
      masterKeys: undefined,
      legacyTicketPlaintext: false,
      eventRetentionDays: 7,
      messageRetentionDays: 7,
      auditRetentionDays: 400,
      authorizerWarmDays: 7,
      authorizationReturnOrigins: [],
      delivery: { allowedTargets: [], timeoutMs: 15_000 },
      logLevel: 'info',
    });
  });

  it('is the same when every variable is set to nothing', () => {
    const empty = Object.fromEntries(Object.keys(variables).map((name) => [name, '']));
    expect(parseConfig(empty)).toEqual(parseConfig({}));
  });

  it('gives something that can not be changed', () => {
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
    ['PUBLIC_URL', 'hub.example.com'],
    ['PUBLIC_URL', 'ftp://hub.example.com'],
    ['PUBLIC_URL', 'https://'],
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
      '::/0',
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
