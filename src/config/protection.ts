import ipaddr from 'ipaddr.js';
import { timingSafeEqual } from 'node:crypto';
import { parseMysqlUrl } from './mysql-url.js';
import { parseMasterKey, variables, type InsecureName, type VariableValues } from './variables.js';
import { remark } from '../common/remarks.js';

/** What of the settings undoes a protection. */
export interface ProtectionFindings {
  /** Why the hub does not start with them: one line for each variable. */
  refused: { name: string; what: string }[];
  /** What is wanted, or cannot be known to be wrong: said at every start. */
  warnings: string[];
}

/** A weakening that may be wanted, and then has to be named in ALLOW_INSECURE. */
interface Weakening {
  insecure: InsecureName;
  /** The variable that is to be changed. */
  name: string;
  what: string;
}

/** Parts of Node whose debug output has headers and addresses, and in them tokens. */
const TALKATIVE = /(^|,)\s*(\*|.*\*.*|http2?|net|undici|fetch)\s*(,|$)/i;
/** Shorter prefixes than these cover the internet, or the metadata services of clouds. */
const SHORTEST_PREFIX = { ipv4: 8, ipv6: 7 } as const;
/** Bits before the IPv4 address in `::ffff:0:0/96`. */
const MAPPED_PREFIX = 96;
/** Seconds from which a captured push can be replayed for so long that somebody will. */
const LONG_WINDOW = 3600;

/**
 * Looks for settings that undo what the hub promises.
 * @param values the settings, checked one by one.
 * @param env the whole environment: Node reads some of it without asking anybody.
 */
export function findUnprotected(
  values: VariableValues,
  env: Record<string, string | undefined>,
): ProtectionFindings {
  const findings: ProtectionFindings = { refused: samplesIn(values), warnings: [] };
  const allowed = values.ALLOW_INSECURE ?? [];
  for (const { insecure, name, what } of weakenings(values, env)) {
    if (allowed.includes(insecure))
      findings.warnings.push(remark('setting_allowed', { name, why: what }));
    else {
      findings.refused.push({
        name,
        what: `${what}. Change it, or allow it with ALLOW_INSECURE=${insecure}`,
      });
    }
  }
  findings.warnings.push(...doubts(values));
  return findings;
}

function samplesIn(values: VariableValues): ProtectionFindings['refused'] {
  const what = (make: string): string =>
    `is the sample of .env.example, which everybody can read; make one by: ${make}`;
  const refused: ProtectionFindings['refused'] = [];
  for (const name of ['ADMIN_TOKEN', 'METRICS_TOKEN'] as const) {
    if (values[name] === variables[name].example) {
      refused.push({ name, what: what('openssl rand -hex 24') });
    }
  }
  const sample = parseMasterKey(variables.MASTER_KEYS.example);
  if (values.MASTER_KEYS?.some(({ key }) => sample && timingSafeEqual(key, sample.key))) {
    refused.push({ name: 'MASTER_KEYS', what: what('openssl rand -base64 32') });
  }
  return refused;
}

function weakenings(values: VariableValues, env: Record<string, string | undefined>): Weakening[] {
  const found: Weakening[] = [];
  if (isPlainHttp(values.WECHAT_API_BASE_URL) && !isLoopback(values.WECHAT_API_BASE_URL)) {
    found.push({
      insecure: 'http-api',
      name: 'WECHAT_API_BASE_URL',
      what: remark('setting_http_api'),
    });
  }
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === '0') {
    found.push({
      insecure: 'tls-off',
      name: 'NODE_TLS_REJECT_UNAUTHORIZED',
      what: remark('setting_tls_off'),
    });
  }
  if (env.NODE_OPTIONS?.includes('--tls-keylog')) {
    found.push({
      insecure: 'tls-off',
      name: 'NODE_OPTIONS',
      what: remark('setting_tls_keylog'),
    });
  }
  if (TALKATIVE.test(env.NODE_DEBUG ?? '')) {
    found.push({
      insecure: 'debug-output',
      name: 'NODE_DEBUG',
      what: remark('setting_debug'),
    });
  }
  if (values.DELIVERY_ALLOWED_TARGETS?.some(isTooWide)) {
    found.push({
      insecure: 'wide-targets',
      name: 'DELIVERY_ALLOWED_TARGETS',
      what: remark('setting_wide_targets'),
    });
  }
  return found;
}

function doubts(values: VariableValues): string[] {
  const said: string[] = [];
  if (values.PUBLIC_URL && isPlainHttp(values.PUBLIC_URL) && isPublic(values.PUBLIC_URL)) {
    said.push(remark('setting_public_http'));
  }
  const origins = values.AUTHORIZATION_RETURN_ORIGINS ?? [];
  if (origins.some((origin) => isPlainHttp(origin) && isPublic(origin))) {
    said.push(remark('setting_origin_http'));
  }
  if (values.CALLBACK_TIMESTAMP_WINDOW_SECONDS > LONG_WINDOW) {
    said.push(remark('setting_window'));
  }
  return [...said, ...databaseDoubts(values.DATABASE_URL)];
}

function databaseDoubts(text: string): string[] {
  if (text.startsWith('sqlite:')) return [];
  const { hosts, tls } = parseMysqlUrl(text);
  if (tls?.verify === 'nothing') {
    return [remark('setting_tls_unverified')];
  }
  if (!tls && hosts.some(({ host }) => isPublicHost(host))) {
    return [remark('setting_no_tls')];
  }
  return [];
}

function isPlainHttp(url: string): boolean {
  return new URL(url).protocol === 'http:';
}

/** Whether a URL leads to this machine alone. */
export function isLoopback(url: string): boolean {
  const host = hostOf(url);
  if (ipaddr.isValid(host)) return ipaddr.process(host).range() === 'loopback';
  return /^(.+\.)?localhost\.?$/i.test(host);
}

function isPublic(url: string): boolean {
  return isPublicHost(hostOf(url));
}

/** Names without a dot, and those that are reserved for own networks, are not public. */
function isPublicHost(host: string): boolean {
  if (ipaddr.isValid(host)) return ipaddr.process(host).range() === 'unicast';
  return (
    /\./.test(host) && !/\.(localhost|local|internal|lan|home\.arpa|test|intranet)\.?$/i.test(host)
  );
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
}

function isTooWide(target: string): boolean {
  if (!target.includes('/')) return false;
  const [address, prefix] = ipaddr.parseCIDR(target);
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) {
    return prefix - MAPPED_PREFIX < SHORTEST_PREFIX.ipv4;
  }
  return prefix < SHORTEST_PREFIX[address.kind()];
}
