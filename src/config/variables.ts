import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { LOG_LEVEL_NAMES } from '../common/hub-logger.js';
import { invisibleProblem, trimInvisible, type Ends } from './invisible-characters.js';
import { MysqlUrlError, parseMysqlUrl } from './mysql-url.js';

/** One environment variable: how it is checked and what it means. */
export interface Variable {
  schema: z.ZodType;
  /** One line of `.env.example`. */
  meaning: string;
  /** A value that passes the check, shown when one does not. */
  example: string;
  /** Invisible characters that are cut off at the ends before the check; `any` by default. */
  ends?: Ends;
  /** Whether its value, or a part of it, is shown to nobody. */
  secret?: true;
}

/** Protections that an operator may do without, and has to name for it. */
export const INSECURE_NAMES = [
  'http-api',
  'tls-off',
  'key-file-mode',
  'debug-output',
  'wide-targets',
] as const;
export type InsecureName = (typeof INSECURE_NAMES)[number];

/**
 * Text that a person copied from somewhere: what cannot be seen is cut off at its ends, or refused
 * by its place.
 */
function typed(ends: Ends): z.ZodString {
  return z
    .string()
    .superRefine((text, context) => {
      const message = invisibleProblem(text, ends);
      if (message) context.addIssue({ code: 'custom', message, continue: false });
    })
    .overwrite((text) => trimInvisible(text, ends));
}

/** What people call something: characters that are seen, so that no name can pass for another one. */
export function nameText(longest: number): z.ZodString {
  return typed('any').min(1).max(longest);
}

const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i;
const appid = typed('any').regex(
  /^[A-Za-z0-9_-]{6,64}$/,
  'must be an appid: 6 to 64 letters, digits, "_" or "-"',
);
const callbackToken = typed('any').regex(
  /^[A-Za-z0-9_-]{3,64}$/,
  'must be 3 to 64 letters, digits, "_" or "-"',
);
const encodingAesKey = typed('any').regex(
  /^[A-Za-z0-9]{43}$/,
  'must be exactly 43 letters and digits',
);
const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .refine(isBareUrl, 'must be an http or https URL without user, "?" and "#"')
  .transform((url) => url.replace(/\/+$/, ''));
const bearer = z
  .string()
  .regex(/^[\x21-\x7e]{24,256}$/, 'must be 24 to 256 printable characters without spaces');
const databaseUrl = z.string().superRefine((url, context) => {
  const message = databaseUrlProblem(url);
  if (message) context.addIssue({ code: 'custom', message });
});
const origins = z
  .string()
  .transform((list) => list.split(',').map((entry) => entry.trim()))
  .refine((list) => list.every((entry) => !entry.includes('*')), {
    error: 'must name each origin: "*" matches none',
    abort: true,
  })
  .refine(
    (list) => list.every((entry) => URL.canParse(entry) && new URL(entry).origin === entry),
    'must be a list of origins such as https://app.example.com, separated by commas',
  );
const targets = z
  .string()
  .transform((list) => list.split(',').map((entry) => entry.trim().toLowerCase()))
  .refine(
    (list) => list.every(isTarget),
    'must be a list of hosts, addresses and CIDRs, separated by commas',
  );
const hostNames = z
  .string()
  .transform((list) => list.split(',').map((entry) => entry.trim().toLowerCase()))
  .refine(
    (list) => list.every((name) => /^[a-z\d](?:[a-z\d.-]{0,252}[a-z\d])?$/.test(name)),
    'must be a list of host names without a port, separated by commas',
  );
const proxies = z
  .string()
  .transform((list) => list.split(',').map((entry) => entry.trim()))
  .refine(
    (list) => list.every(isNetwork),
    'must be a list of addresses and CIDRs, separated by commas; none shorter than /8, or /16 of IPv6',
  );
const host = z.string().superRefine((text, context) => {
  const message = hostProblem(text);
  if (message) context.addIssue({ code: 'custom', message });
});
/** A key for secrets at rest: AES-256, by the id that stands in every value it encrypted. */
export interface MasterKey {
  id: string;
  /** 32 bytes. */
  key: Buffer;
}
export const MASTER_KEY_ID = /^[A-Za-z0-9_-]{1,32}$/;
const masterKeys = z
  .string()
  .transform((list) => list.split(',').map((entry) => parseMasterKey(entry.trim())))
  .refine((keys) => keys.every((key) => MASTER_KEY_ID.test(key?.id ?? '')), {
    error: 'must be a list of id:base64, each key 32 bytes, separated by commas',
    abort: true,
  })
  .transform((keys) => keys.filter((key) => key !== undefined))
  .refine(
    (keys) => new Set(keys.map(({ id }) => id)).size === keys.length,
    'must not have two keys of one id',
  );
const OPEN_ENDPOINTS = ['docs', 'metrics'] as const;
export type OpenEndpoint = (typeof OPEN_ENDPOINTS)[number];
const proxyUrl = z
  .string()
  .transform((text) => (text.includes('://') ? text : `http://${text}`))
  .refine(
    isProxyUrl,
    'must be http://user:password@host:port, or https://…; special characters of a password as %XX',
  );
const openEndpoints = z
  .string()
  .transform((list) => (list === 'none' ? [] : list.split(',').map((entry) => entry.trim())))
  .pipe(z.array(z.enum(OPEN_ENDPOINTS, 'must be docs, metrics, both with a comma, or none')));
const insecureNames = z
  .string()
  .transform((list) => list.split(',').map((entry) => entry.trim()))
  .pipe(z.array(z.enum(INSECURE_NAMES, `must be a list of ${INSECURE_NAMES.join(', ')}`)));
const flag = z
  .enum(['true', 'false'], 'must be true or false')
  .default('false')
  .transform((value) => value === 'true');

/** Paths are added to it, and it is shown. */
function isBareUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '' && !/[?#]/.test(text);
}

/** A proxy to which CONNECT can be said. */
function isProxyUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, pathname, search, hash } = new URL(text);
  const plain = hostname !== '' && pathname === '/' && search === '' && hash === '';
  return /^https?:$/.test(protocol) && plain && [username, password].every(isDecodableText);
}

/** Whether it can be read as percent-encoded UTF-8. */
function isDecodableText(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function databaseUrlProblem(text: string): string | undefined {
  const [, path] = /^sqlite:(.*)$/s.exec(text) ?? [];
  if (path !== undefined) return sqlitePathProblem(path);
  try {
    parseMysqlUrl(text);
    return undefined;
  } catch (error) {
    if (error instanceof MysqlUrlError) return error.message;
    throw error;
  }
}

/** The driver would take these for something else than the path of a file. */
function sqlitePathProblem(path: string): string | undefined {
  if (path === '') return 'must be sqlite:PATH or mysql://user:password@host:3306/database';
  if (path === ':memory:') return 'must have the path of a file: memory is lost with the process';
  if (path.includes('?'))
    return 'must not have "?" in the path of a SQLite file: it has no options';
  if (/^[a-z][a-z0-9+.-]+:/i.test(path)) return 'must have the path of a file after sqlite:';
  return undefined;
}

/** A host name, an address, or a range of them. */
function isTarget(entry: string): boolean {
  if (entry.includes('/')) return ipaddr.isValidCIDR(entry);
  return ipaddr.isValid(entry) || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(entry);
}

/** What can be listened on: an address, or a name that may lead to one. */
function hostProblem(text: string): string | undefined {
  if (text.startsWith('[')) return 'must be an address without brackets, such as ::1';
  if (isIP(text) !== 0) return undefined;
  // URLs read names that end in a number as IPv4 addresses, and refuse most of them.
  const isName =
    HOST_NAME.test(text) &&
    URL.canParse(`http://${text}`) &&
    isIP(new URL(`http://${text}`).hostname) === 0;
  return isName ? undefined : 'must be an IP address or a host name';
}

/** An address, or a range of them that is not of so many that nobody has as many proxies. */
function isNetwork(entry: string): boolean {
  const [address = '', prefix, ...more] = entry.split('/');
  // An IPv4 address in the form of IPv6 is the same one: a range of them would be one of all.
  const plain = isIP(address) !== 0 && !/%|^::ffff:/i.test(address);
  if (!plain || more.length > 0) return false;
  if (prefix === undefined) return true;
  const [shortest, longest] = isIP(address) === 4 ? [8, 32] : [16, 128];
  return /^\d{1,3}$/.test(prefix) && Number(prefix) >= shortest && Number(prefix) <= longest;
}

/** A key as `id:base64`; undefined for a text that is none. */
export function parseMasterKey(text: string): MasterKey | undefined {
  const [id, encoded = ''] = text.split(/:(.*)/s);
  const key = Buffer.from(encoded, 'base64');
  return id && key.length === 32 ? { id, key } : undefined;
}

function wholeNumber(min: number, max: number, preset: number): z.ZodType<number> {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .default(String(preset))
    .refine((text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max, message)
    .transform(Number);
}

/** Beyond that a database, not a core, is what lacks. */
const MOST_WORKERS = 64;

const workers = z
  .string()
  .default('1')
  .refine(
    (text) => text === 'auto' || (/^[1-9]\d?$/.test(text) && Number(text) <= MOST_WORKERS),
    `must be a whole number from 1 to ${MOST_WORKERS}, or auto`,
  )
  .transform((text) =>
    text === 'auto' ? Math.min(availableParallelism(), MOST_WORKERS) : Number(text),
  );

const FAKE_AES_KEY = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';

/**
 * Checks of the credentials of a third-party platform, as WeChat's console defines them;
 * shared by the environment and by `/admin/components`.
 */
export const componentFields = {
  appid,
  appSecret: typed('lines')
    .min(6, 'must be at least 6 characters')
    .max(128, 'must be at most 128 characters')
    .regex(/\S/, 'must not be blank'),
  token: callbackToken,
  encodingAesKey,
};

/** Every variable that the hub reads. `.env.example` and the READMEs are held against this table. */
export const variables = {
  HOST: {
    schema: host.default('127.0.0.1'),
    meaning: 'Address to listen on; 0.0.0.0 for all',
    example: '0.0.0.0',
  },
  PORT: {
    schema: wholeNumber(0, 65535, 3000),
    meaning: 'Port to listen on',
    example: '3000',
  },
  DATABASE_URL: {
    secret: true,
    schema: databaseUrl.default('sqlite:./data/hub.sqlite'),
    meaning:
      'sqlite:PATH, or mysql://user:password@host:3306/database (several hosts with commas), with TLS ?tls=true',
    example: 'mysql://hub:fake-password@127.0.0.1:3306/hub',
  },
  PUBLIC_URL: {
    schema: httpUrl.optional(),
    meaning: 'What WeChat and browsers see; used in links. Default: http://HOST:PORT',
    example: 'https://hub.example.com',
  },
  TRUSTED_PROXIES: {
    schema: proxies.optional(),
    meaning:
      'Addresses and CIDRs of your reverse proxies, whose X-Forwarded-For is believed, separated by commas',
    example: '127.0.0.1,10.0.0.0/8',
  },
  WECHAT_COMPONENT_APPID: {
    schema: appid.optional(),
    meaning:
      'AppID of the first third-party platform, the four together; none: it is added by POST /admin/components',
    example: 'wx0123456789abcdef',
  },
  WECHAT_COMPONENT_APPSECRET: {
    secret: true,
    schema: componentFields.appSecret.optional(),
    meaning: 'Its AppSecret',
    example: '0123456789abcdef0123456789abcdef',
    ends: 'lines',
  },
  WECHAT_COMPONENT_TOKEN: {
    secret: true,
    schema: callbackToken.optional(),
    meaning: 'Its message verification token (消息校验Token)',
    example: 'myCallbackToken1',
  },
  WECHAT_COMPONENT_ENCODING_AES_KEY: {
    secret: true,
    schema: encodingAesKey.optional(),
    meaning: 'Its message encryption key (消息加解密Key), 43 characters',
    example: FAKE_AES_KEY,
  },
  WECHAT_COMPONENT_PREVIOUS_TOKEN: {
    secret: true,
    schema: callbackToken.optional(),
    meaning: 'The Token before the last change, while pushes under it still arrive',
    example: 'myCallbackToken0',
  },
  WECHAT_COMPONENT_PREVIOUS_ENCODING_AES_KEY: {
    secret: true,
    schema: encodingAesKey.optional(),
    meaning: 'The key before the last change, while pushes under it still arrive',
    example: FAKE_AES_KEY,
  },
  PREVIOUS_KEY_HOURS: {
    schema: wholeNumber(0, 720, 168),
    meaning:
      'Hours for which WeChat must have used a changed Token, key or AppSecret only, until the one ' +
      'before is refused; 0: until an operator ends it',
    example: '168',
  },
  WECHAT_API_BASE_URL: {
    schema: httpUrl.default('https://api.weixin.qq.com'),
    meaning: "Base URL of WeChat's API",
    example: 'https://api.weixin.qq.com',
  },
  WECHAT_API_TIMEOUT_MS: {
    // Below the lease of a refresh (10 s) and the limit of a stop.
    schema: wholeNumber(50, 8000, 5000),
    meaning: 'Milliseconds that a call to WeChat may take',
    example: '5000',
  },
  HTTPS_PROXY: {
    secret: true,
    schema: proxyUrl.optional(),
    meaning:
      'Proxy by which https addresses of WeChat are called, by CONNECT; in small letters, too',
    example: 'http://user:fake-password@proxy.internal:3128',
  },
  HTTP_PROXY: {
    secret: true,
    schema: proxyUrl.optional(),
    meaning: 'The same for http addresses',
    example: 'http://proxy.internal:3128',
  },
  ALL_PROXY: {
    secret: true,
    schema: proxyUrl.optional(),
    meaning: 'The same for both, where the one above is not set',
    example: 'http://proxy.internal:3128',
  },
  NO_PROXY: {
    schema: z.string().optional(),
    meaning:
      'Hosts, addresses and CIDRs that are called without a proxy, separated by commas; * is all',
    example: 'localhost,127.0.0.1,10.0.0.0/8,.internal',
  },
  CALLBACK_TIMESTAMP_WINDOW_SECONDS: {
    schema: wholeNumber(1, 999_999_999, 600),
    meaning: "Seconds by which a push's timestamp may differ from the clock",
    example: '600',
  },
  ADMIN_TOKEN: {
    secret: true,
    schema: bearer.optional(),
    meaning:
      'Bearer token of /admin and /api, 24 characters at the least. Unset: one is made at first ' +
      'start and printed once',
    example: 'fake-admin-token-please-change',
  },
  METRICS_TOKEN: {
    secret: true,
    schema: bearer.optional(),
    meaning:
      'Bearer token of /metrics, for Prometheus alone. Set: /metrics is not open, whatever OPEN_ENDPOINTS says',
    example: 'fake-metrics-token-please-change',
  },
  MASTER_KEYS: {
    secret: true,
    schema: masterKeys.optional(),
    meaning:
      'Keys for secrets at rest, id:base64(32 bytes),…; the first encrypts, all decrypt. ' +
      'Unset: SQLite makes master.key beside its file, MySQL refuses to start',
    example: 'k1:ZmFrZS1mYWtlLWZha2UtZmFrZS1mYWtlLWZha2UtMzI=',
  },
  LEGACY_TICKET_PLAINTEXT: {
    schema: flag,
    meaning: 'true keeps Cvt_ComponentVerifyTicket readable for other programs that use the table',
    example: 'false',
  },
  EVENT_RETENTION_DAYS: {
    schema: wholeNumber(1, 3650, 7),
    meaning: 'Days for which tickets and authorization events are kept',
    example: '7',
  },
  MESSAGE_RETENTION_DAYS: {
    schema: wholeNumber(1, 3650, 7),
    meaning:
      'Days for which messages and events of accounts are kept; longer while they wait for delivery',
    example: '7',
  },
  AUDIT_RETENTION_DAYS: {
    schema: wholeNumber(1, 3650, 400),
    meaning: 'Days for which the audit trail is kept',
    example: '400',
  },
  STATISTICS_RETENTION_DAYS: {
    schema: wholeNumber(1, 3650, 400),
    meaning: 'Days for which hourly counts of calls, pushes, deliveries and refreshes are kept',
    example: '400',
  },
  AUTHORIZER_WARM_DAYS: {
    schema: wholeNumber(1, 3650, 7),
    meaning: 'Days after its last use for which the token of an account is kept warm',
    example: '7',
  },
  AUTHORIZATION_RETURN_ORIGINS: {
    schema: origins.optional(),
    meaning: 'Origins to which a browser may be sent after an authorization, separated by commas',
    example: 'https://app.example.com,https://shop.example.com',
  },
  DELIVERY_ALLOWED_TARGETS: {
    schema: targets.optional(),
    meaning:
      'Hosts, addresses and CIDRs of your own network that deliveries may go to, separated by commas',
    example: 'hooks.internal,10.0.0.0/8',
  },
  DELIVERY_TIMEOUT_MS: {
    schema: wholeNumber(100, 60_000, 15_000),
    meaning: 'Milliseconds that one attempt to deliver may take',
    example: '15000',
  },
  DELIVERY_USE_PROXY: {
    schema: flag,
    meaning: 'true sends deliveries through the proxy, too; addresses are checked as without it',
    example: 'false',
  },
  OPEN_ENDPOINTS: {
    schema: openEndpoints.optional(),
    meaning:
      'Which of docs and metrics are served without the token, separated by commas; none for ' +
      'neither. Unset: both where HOST is loopback, else none',
    example: 'metrics',
  },
  GATEWAY_TIMEOUT_SECONDS: {
    schema: wholeNumber(1, 300, 30),
    meaning: 'Seconds for which WeChat may be silent in a call by the gateway',
    example: '60',
  },
  GATEWAY_BODY_LIMIT_MB: {
    schema: wholeNumber(1, 1024, 64),
    meaning: 'Longest body of such a call, in MiB; it streams, and takes no memory',
    example: '256',
  },
  GATEWAY_CONCURRENCY: {
    schema: wholeNumber(1, 1000, 250),
    meaning: 'Such calls of one account, or of one platform, that a host has under way at once',
    example: '50',
  },
  GATEWAY_TOKENS: {
    schema: z.enum(['standin', 'real'], 'must be standin or real').default('standin'),
    meaning:
      'What SDKs at /wx are given for the token of an account: a stand-in, good at the hub alone, ' +
      'or the real one, for SDKs that call WeChat themselves; its key then needs token:read',
    example: 'real',
  },
  GATEWAY_HOSTS: {
    schema: hostNames.optional(),
    meaning:
      'Host names, separated by commas, under which the hub answers at the root what it answers ' +
      'at /wx, and nothing else',
    example: 'wx.hub.internal,api.weixin.qq.com',
  },
  WORKERS: {
    schema: workers,
    meaning:
      'Processes behind the port, each a hub; auto: one for each core. More than 1 needs MySQL',
    example: '1',
  },
  STOP_DELAY_SECONDS: {
    schema: wholeNumber(0, 300, 0),
    meaning: 'Seconds for which a hub that is to stop says so by /health/ready and goes on serving',
    example: '10',
  },
  ALLOW_INSECURE: {
    schema: insecureNames.optional(),
    meaning: `Protections to do without, separated by commas: ${INSECURE_NAMES.join(', ')}`,
    example: 'key-file-mode',
  },
  LOG_LEVEL: {
    schema: z.enum(LOG_LEVEL_NAMES, `must be one of ${LOG_LEVEL_NAMES.join(', ')}`).default('info'),
    meaning: 'error, warn, info or debug; JSON lines on stdout',
    example: 'info',
  },
} satisfies Record<string, Variable>;

/** Variables that other programs read in small letters, too; those win, as for curl. */
export const PROXY_NAMES = [
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
] as const satisfies (keyof typeof variables)[];

export type VariableName = keyof typeof variables;
/** The checked values, by variable name. */
export type VariableValues = {
  [K in VariableName]: z.output<(typeof variables)[K]['schema']>;
};
