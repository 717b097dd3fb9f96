import { HubError } from '../common/hub-error.js';
import type { LogLevelName } from '../common/hub-logger.js';
import type { ProxySettings } from '../common/proxy-agent.js';
import { Secret } from '../common/secret.js';
import { invisibleProblem, trimInvisible } from './invisible-characters.js';
import { findUnprotected, isLoopback } from './protection.js';
import {
  variables,
  type InsecureName,
  type MasterKey,
  type OpenEndpoint,
  type Variable,
  type VariableName,
  type VariableValues,
} from './variables.js';

/** Injection token of the {@link AppConfig}. */
export const APP_CONFIG = Symbol('APP_CONFIG');

/** Credentials of a third-party platform as the environment gives them. */
export interface ComponentSettings {
  appid: string;
  appSecret: Secret;
  token: Secret;
  encodingAesKey: Secret;
  previousToken?: Secret;
  previousEncodingAesKey?: Secret;
}

export type DatabaseSettings = { type: 'sqlite'; path: string } | { type: 'mysql'; url: Secret };

/** The whole configuration: parsed, checked and frozen. */
export interface AppConfig {
  host: string;
  port: number;
  publicUrl: string;
  /** Addresses and CIDRs of reverse proxies whose `X-Forwarded-For` is believed. */
  trustedProxies: string[];
  database: DatabaseSettings;
  /** Created in the database at first start; undefined where components are kept by REST alone. */
  firstComponent?: ComponentSettings;
  previousKeyHours: number;
  wechatApi: { baseUrl: string; timeoutMs: number };
  proxies: ProxySettings;
  callbackTimestampWindowSeconds: number;
  adminToken?: Secret;
  /** Opens `/metrics`, and nothing else. */
  metricsToken?: Secret;
  masterKeys?: MasterKey[];
  legacyTicketPlaintext: boolean;
  /** Days for which tickets and authorization events are kept. */
  eventRetentionDays: number;
  /** Days for which messages and events of accounts are kept. */
  messageRetentionDays: number;
  /** Days for which the audit trail is kept. */
  auditRetentionDays: number;
  /** Days for which hourly counts are kept. */
  statisticsRetentionDays: number;
  /** Accounts that no service used for so many days are refreshed when they are read, not before. */
  authorizerWarmDays: number;
  /** Origins that a browser may be sent to after an authorization. */
  authorizationReturnOrigins: string[];
  delivery: {
    /** Hosts, addresses and CIDRs that may be delivered to although they are private. */
    allowedTargets: string[];
    /** Longest that one attempt may take. */
    timeoutMs: number;
  };
  gateway: {
    /** Longest silence of WeChat's in a call, in milliseconds. */
    timeoutMs: number;
    /** Longest body of a call, in bytes. */
    bodyLimit: number;
    /** Calls of one account or platform under way at once. */
    concurrency: number;
    /** What SDKs at the drop-in address are given for an account's token. */
    tokens: 'standin' | 'real';
    /** Names, in small letters, under which the hub is nothing but the drop-in address. */
    hosts: string[];
  };
  logLevel: LogLevelName;
  /** What is served without the token. */
  openEndpoints: OpenEndpoint[];
  /** Processes behind the port. */
  workers: number;
  /** Seconds between the wish to stop and the stop. */
  stopDelaySeconds: number;
  /** Protections that the operator does without. */
  allowInsecure: readonly InsecureName[];
  /** What is to be said at every start, one line each. */
  warnings: readonly string[];
  /** Every variable, for people to see. */
  settings: readonly ShownSetting[];
  /** Files that settings come from, with the variable that names each; `.env` has none. */
  files: readonly SettingFile[];
}

/** Where a setting comes from: `file` is one that `…_FILE` names. */
export const SETTING_SOURCES = ['environment', '.env', 'file', 'default'] as const;
export type SettingSource = (typeof SETTING_SOURCES)[number];

/** A variable as it is shown. */
export interface ShownSetting {
  name: VariableName;
  source: SettingSource;
  /** As it was given, or the default; `set` in the place of a secret; null where there is none. */
  value: string | null;
  meaning: string;
}

/** A file that settings were read from. */
export interface SettingFile {
  path: string;
  name: string;
}

/** What was found about the settings before they are parsed. */
export interface Findings {
  /** Variables that have no value because of a problem, and the problem's line. */
  unreadable?: ReadonlyMap<string, string>;
  warnings?: readonly string[];
  /** Where what is set comes from; `environment` where it is not said. */
  sources?: ReadonlyMap<string, SettingSource>;
  files?: readonly SettingFile[];
}

/** The process can't start: the message names each variable, what is wrong and what to set. */
export class ConfigError extends HubError {
  constructor(problems: string[]) {
    super('config_invalid', `Configuration is not usable:\n${problems.join('\n')}`, {
      status: 500,
      level: 'error',
    });
  }
}

const COMPONENT_VARIABLES = [
  'WECHAT_COMPONENT_APPID',
  'WECHAT_COMPONENT_APPSECRET',
  'WECHAT_COMPONENT_TOKEN',
  'WECHAT_COMPONENT_ENCODING_AES_KEY',
] as const satisfies VariableName[];

const PREVIOUS_VARIABLES = [
  'WECHAT_COMPONENT_PREVIOUS_TOKEN',
  'WECHAT_COMPONENT_PREVIOUS_ENCODING_AES_KEY',
] as const satisfies VariableName[];

/** One line about one variable; never repeats the value, which may be a secret. */
function problem(name: VariableName, what: string): string {
  return `  ${name}: ${what} (example: ${name}=${variables[name].example})`;
}

/** What PORT or HOST must be changed for when listening failed; undefined where neither helps. */
export function listenProblem(error: unknown): ConfigError | undefined {
  const { code, port } = error as NodeJS.ErrnoException & { port?: number };
  switch (code) {
    case 'EADDRINUSE':
      return new ConfigError([`  PORT: another program listens on ${port}: set another port`]);
    case 'EACCES':
      return new ConfigError([problem('PORT', 'this user may not listen on it')]);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new ConfigError([problem('HOST', 'this machine has no such address')]);
    default:
      return undefined;
  }
}

/** What keeps the hub from starting: a line for people, and the variable that it is about. */
export interface ConfigProblem {
  /** Undefined where it is about all of them. */
  name?: string;
  line: string;
}

/** The configuration as far as it can be read. */
export interface ReadConfig {
  /** What has a problem has its default in it. */
  config: AppConfig;
  problems: ConfigProblem[];
}

/**
 * Parses environment variables, see {@link readConfig}.
 * @throws {ConfigError} naming every variable that is missing or malformed.
 */
export function parseConfig(
  given: Record<string, string | undefined>,
  findings: Findings = {},
): AppConfig {
  return usable(readConfig(given, findings));
}

/** @throws {ConfigError} where there is a problem. */
export function usable({ config, problems }: ReadConfig): AppConfig {
  if (problems.length > 0) throw new ConfigError(problems.map(({ line }) => line));
  return config;
}

/**
 * Reads environment variables; an empty one counts as unset. Invisible characters are cut off at
 * the ends of a value, and refused inside.
 */
export function readConfig(
  given: Record<string, string | undefined>,
  { unreadable = new Map(), warnings = [], sources = new Map(), files = [] }: Findings = {},
): ReadConfig {
  const problems: ConfigProblem[] = [...unreadable].map(([name, line]) => ({ name, line }));
  const env: Record<string, string | undefined> = { ...given };
  const values: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries<Variable>(variables) as [
    VariableName,
    Variable,
  ][]) {
    const { ends = 'any', schema } = variable;
    values[name] = schema.safeParse(undefined).data;
    if (unreadable.has(name)) continue;
    const text = given[name] ?? '';
    env[name] = trimInvisible(text, ends);
    const blank = env[name] === '' && !/^[\r\n]*$/.test(text);
    const invisible = blank ? 'has nothing but invisible characters' : invisibleProblem(text, ends);
    const parsed = schema.safeParse(env[name] === '' ? undefined : env[name]);
    if (!invisible && parsed.success) values[name] = parsed.data;
    else {
      const what = invisible ?? parsed.error?.issues[0]?.message ?? 'is wrong';
      problems.push({ name, line: problem(name, what) });
    }
  }
  problems.push(...missingTogether(env, unreadable));
  const checked = values as VariableValues;
  if (!problems.some(({ name }) => name === 'DATABASE_URL')) problems.push(...onOneFile(checked));
  const { refused, warnings: doubts } = findUnprotected(checked, given);
  if (problems.length === 0) {
    problems.push(...refused.map(({ name, what }) => ({ name, line: `  ${name}: ${what}` })));
  }
  const settings = shownSettings(env, values, sources);
  const said = { warnings: [...warnings, ...doubts], settings, files };
  return { config: Object.freeze({ ...toConfig(checked), ...said }), problems };
}

/** SQLite is for one process. */
function onOneFile({ WORKERS, DATABASE_URL }: VariableValues): ConfigProblem[] {
  if (WORKERS === 1 || !DATABASE_URL.startsWith('sqlite:')) return [];
  const what = 'must be 1 with SQLite; more processes need MySQL in DATABASE_URL';
  return [lineOf({ name: 'WORKERS', what })];
}

/** Lines about what is needed because of something else that is set. */
function missingTogether(
  env: Record<string, string | undefined>,
  unreadable: ReadonlyMap<string, string>,
): ConfigProblem[] {
  const isSet = (name: string): boolean => Boolean(env[name]) || unreadable.has(name);
  const component = [...COMPONENT_VARIABLES, ...PREVIOUS_VARIABLES].some(isSet);
  const missing = component ? COMPONENT_VARIABLES.filter((name) => !isSet(name)) : [];
  const problems: { name: VariableName; what: string }[] = [];
  for (const name of missing) problems.push({ name, what: 'is missing' });
  if (/^mysql:/i.test(env.DATABASE_URL ?? '') && !isSet('MASTER_KEYS')) {
    const what = 'is needed with MySQL; make one by: echo "k1:$(openssl rand -base64 32)"';
    problems.push({ name: 'MASTER_KEYS', what });
  }
  return problems.map(lineOf);
}

function lineOf({ name, what }: { name: VariableName; what: string }): ConfigProblem {
  return { name, line: problem(name, what) };
}

function shownSettings(
  env: Record<string, string | undefined>,
  values: Record<string, unknown>,
  sources: ReadonlyMap<string, SettingSource>,
): ShownSetting[] {
  return Object.entries<Variable>(variables).map(([key, { meaning, secret }]) => {
    const name = key as VariableName;
    const given = env[name] ?? '';
    const source = given === '' ? 'default' : (sources.get(name) ?? 'environment');
    const text = given === '' ? defaultText(values[name]) : given;
    return { name, source, value: secret && given !== '' ? 'set' : text, meaning };
  });
}

function defaultText(value: unknown): string | null {
  return value === undefined ? null : String(value);
}

function toConfig(v: VariableValues): Omit<AppConfig, 'warnings' | 'settings' | 'files'> {
  const openEndpoints = v.OPEN_ENDPOINTS ?? (listensHere(v.HOST) ? ['docs', 'metrics'] : []);
  return {
    host: v.HOST,
    port: v.PORT,
    publicUrl: v.PUBLIC_URL ?? `http://${urlHost(v.HOST)}:${v.PORT}`,
    trustedProxies: v.TRUSTED_PROXIES ?? [],
    database: toDatabase(v.DATABASE_URL),
    firstComponent: toComponent(v),
    previousKeyHours: v.PREVIOUS_KEY_HOURS,
    wechatApi: { baseUrl: v.WECHAT_API_BASE_URL, timeoutMs: v.WECHAT_API_TIMEOUT_MS },
    proxies: {
      https: secretOrNone(v.HTTPS_PROXY ?? v.ALL_PROXY),
      http: secretOrNone(v.HTTP_PROXY ?? v.ALL_PROXY),
      noProxy: v.NO_PROXY ?? '',
      forDeliveries: v.DELIVERY_USE_PROXY,
    },
    callbackTimestampWindowSeconds: v.CALLBACK_TIMESTAMP_WINDOW_SECONDS,
    adminToken: secretOrNone(v.ADMIN_TOKEN),
    metricsToken: secretOrNone(v.METRICS_TOKEN),
    masterKeys: v.MASTER_KEYS,
    legacyTicketPlaintext: v.LEGACY_TICKET_PLAINTEXT,
    eventRetentionDays: v.EVENT_RETENTION_DAYS,
    messageRetentionDays: v.MESSAGE_RETENTION_DAYS,
    auditRetentionDays: v.AUDIT_RETENTION_DAYS,
    statisticsRetentionDays: v.STATISTICS_RETENTION_DAYS,
    authorizerWarmDays: v.AUTHORIZER_WARM_DAYS,
    authorizationReturnOrigins: v.AUTHORIZATION_RETURN_ORIGINS ?? [],
    delivery: {
      allowedTargets: v.DELIVERY_ALLOWED_TARGETS ?? [],
      timeoutMs: v.DELIVERY_TIMEOUT_MS,
    },
    gateway: toGateway(v),
    logLevel: v.LOG_LEVEL,
    openEndpoints: openEndpoints.filter((name) => name !== 'metrics' || !v.METRICS_TOKEN),
    workers: v.WORKERS,
    stopDelaySeconds: v.STOP_DELAY_SECONDS,
    allowInsecure: v.ALLOW_INSECURE ?? [],
  };
}

/** Whether only this machine can connect. */
function listensHere(host: string): boolean {
  const isAll = host === '0.0.0.0' || host === '::';
  return !isAll && isLoopback(`http://${urlHost(host)}`);
}

/** How a listening address is written in a URL of this machine. */
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function toDatabase(url: string): DatabaseSettings {
  return url.startsWith('sqlite:')
    ? { type: 'sqlite', path: url.slice('sqlite:'.length) }
    : { type: 'mysql', url: new Secret(url) };
}

function toComponent(v: VariableValues): ComponentSettings | undefined {
  if (!v.WECHAT_COMPONENT_APPID) return undefined;
  return {
    appid: v.WECHAT_COMPONENT_APPID,
    appSecret: new Secret(v.WECHAT_COMPONENT_APPSECRET ?? ''),
    token: new Secret(v.WECHAT_COMPONENT_TOKEN ?? ''),
    encodingAesKey: new Secret(v.WECHAT_COMPONENT_ENCODING_AES_KEY ?? ''),
    previousToken: secretOrNone(v.WECHAT_COMPONENT_PREVIOUS_TOKEN),
    previousEncodingAesKey: secretOrNone(v.WECHAT_COMPONENT_PREVIOUS_ENCODING_AES_KEY),
  };
}

function toGateway(v: VariableValues): AppConfig['gateway'] {
  return {
    timeoutMs: v.GATEWAY_TIMEOUT_SECONDS * 1000,
    bodyLimit: v.GATEWAY_BODY_LIMIT_MB * 1024 * 1024,
    concurrency: v.GATEWAY_CONCURRENCY,
    tokens: v.GATEWAY_TOKENS,
    hosts: v.GATEWAY_HOSTS ?? [],
  };
}

function secretOrNone(value: string | undefined): Secret | undefined {
  return value === undefined ? undefined : new Secret(value);
}
