import { componentFields } from '../config/variables.js';
import type { ReplicationFacts, ServerFacts } from '../database/database-facts.js';
import { isForOthers } from '../common/file-modes.js';
import { DAY_MS, MINUTE_MS } from '../common/times.js';
import { FAILURE_POLICIES } from '../token-engine/failure-policy.js';
import type { LastError } from '../token-engine/token-state.js';
import type { WechatApiError } from '../wechat-api/wechat-api.error.js';
import { SECRET_REFUSALS } from '../wechat-api/wechat-errcode.js';
import type { Asked, AskError } from '../common/ask.js';
import { finding, type Finding } from './findings.js';

const MEBIBYTE = 1024 * 1024;
/** From here on a clock is not kept by NTP. */
export const CLOCK_OFF_MS = 5000;
/** Where container engines mount what they give to one container alone. */
const MOUNTED_SECRETS = '/run/secrets/';

/** A file or folder of the hub's. */
export interface FileFacts {
  path: string;
  /** One line for people, where it cannot be used as it has to be. */
  problem?: string | undefined;
  /** Undefined where modes say nothing, or others may read it. */
  mode?: number | undefined;
  /** Mode of its folder. */
  folderMode?: number | undefined;
}

/** Whether the hub can use its files, and other users of the machine cannot. */
export function filesVerdict(files: FileFacts[]): Finding {
  const unusable = files.flatMap(({ problem }) => problem ?? []);
  if (unusable.length > 0) return finding('files_unusable', { count: unusable.length }, unusable);
  const open = files.filter(({ path, mode = 0, folderMode = 0 }) => {
    const isHidden = (folderMode & 0o011) === 0 || path.startsWith(MOUNTED_SECRETS);
    return isForOthers(mode) && !isHidden;
  });
  if (open.length === 0) return finding('files_ok', { count: files.length });
  const lines = open.map(({ path, mode = 0 }) => `${path} · ${(mode & 0o777).toString(8)}`);
  return finding('files_open', { count: open.length }, lines);
}

/** Oldest versions that the documents name, by which the hub is tested; SQLite comes with the hub. */
const OLDEST: Record<string, number[]> = { MySQL: [8, 4], MariaDB: [10, 11] };

/** Whether the server is one that the hub works on. */
export function serverVerdict(facts: ServerFacts): Finding {
  const { product, version, timeZone, journal, otherCharset } = facts;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = OLDEST[product] ?? [];
  if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
    return finding('server_old', { product, version });
  }
  if (otherCharset.length > 0) {
    return finding('server_charset', { count: otherCharset.length }, otherCharset);
  }
  if (journal !== '' && journal !== 'wal') {
    return finding('server_journal', { product, version, journal });
  }
  return finding('server_ok', { product, version, zone: timeZone || '–' });
}

export function schemaVerdict({
  missing,
  unknown,
}: {
  missing: string[];
  unknown: string[];
}): Finding {
  if (missing.length > 0) return finding('schema_behind', { count: missing.length }, missing);
  if (unknown.length > 0) return finding('schema_ahead', { count: unknown.length }, unknown);
  return finding('schema_ok');
}

/** @param bytes that can still be written. */
export function diskVerdict(bytes: number): Finding {
  const megabytes = Math.floor(bytes / MEBIBYTE);
  if (megabytes < 64) return finding('disk_full', { megabytes });
  return finding(megabytes < 1024 ? 'disk_low' : 'disk_ok', { megabytes });
}

export function replicationVerdict(facts: ReplicationFacts | 'hidden' | undefined): Finding {
  if (facts === undefined) return finding('replication_none');
  if (facts === 'hidden') return finding('replication_hidden');
  const { seconds } = facts;
  if (seconds === null) return finding('replication_broken');
  return finding(seconds > 1 ? 'replication_late' : 'replication_ok', { seconds });
}

/** @param theirs the database's clock, @param ours this machine's, in Unix milliseconds. */
export function databaseClockVerdict(theirs: number | undefined, ours: number): Finding {
  if (theirs === undefined) return finding('database_clock_same');
  const off = Math.abs(theirs - ours);
  const seconds = Math.round(off / 1000);
  return finding(off >= CLOCK_OFF_MS ? 'database_clock_off' : 'database_clock_ok', { seconds });
}

/** What kept an answer away: `dns`, `tls`, `proxy`, or anything else. */
export function obstacleOf({ code }: AskError): 'dns' | 'tls' | 'proxy' | 'unreachable' {
  if (/^(ENOTFOUND|EAI_)/.test(code)) return 'dns';
  if (code === 'ERR_PROXY') return 'proxy';
  const isTls =
    /^(CERT_|ERR_TLS|ERR_SSL|EPROTO|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH)/;
  return isTls.test(code) ? 'tls' : 'unreachable';
}

/** No answer came through `PUBLIC_URL`. */
export function wayVerdict(error: AskError, url: string): Finding {
  const { message } = error;
  const obstacle = obstacleOf(error);
  return finding(`way_${obstacle === 'proxy' ? 'unreachable' : obstacle}`, { url, message });
}

/** Codes of the hub's own refusals that say what was lost on the way. */
const LOST: Record<string, 'way_query' | 'way_path'> = {
  parameter_missing: 'way_query',
  parameter_invalid: 'way_query',
  signature_invalid: 'way_query',
  component_unknown: 'way_path',
  not_found: 'way_path',
};

/** What is wrong with an answer that came through `PUBLIC_URL`; undefined where nothing is. */
export function answerProblem(asked: Asked, expected: string, url: string): Finding | undefined {
  const { status, location, body } = asked;
  if (location !== undefined || (status >= 300 && status < 400)) {
    return finding('way_redirect', { url, location: location?.slice(0, 200) ?? '–' });
  }
  const code = /"code":"(\w{1,64})"/.exec(body)?.[1];
  const answer = code === undefined ? `HTTP ${status}` : `HTTP ${status} ${code}`;
  if (code !== undefined && LOST[code]) return finding(LOST[code], { url, answer });
  if (status === 404) return finding('way_path', { url, answer });
  if (status !== 200) return finding('way_refused', { url, answer });
  if (body !== expected) {
    const shown = body.replaceAll(/\s+/g, ' ').slice(0, 60);
    return finding('way_changed', { url, answer: shown === '' ? 'nothing' : shown });
  }
  return undefined;
}

/** A certificate that soon ends; undefined for one that does not. @param now Unix milliseconds. */
export function certificateProblem(
  { certificateEnds }: Asked,
  url: string,
  now: number,
): Finding | undefined {
  if (certificateEnds === undefined) return undefined;
  const days = Math.floor((certificateEnds - now) / DAY_MS);
  return days < 14 ? finding('outside_certificate', { url, days }) : undefined;
}

/** How the hub refuses a route that there is not; a proxy may take away its headers. */
const HUB_REFUSAL = /"code":"not_found",.*"id":"[\da-f]{8}-[\da-f-]{27}"/;

/** Whether what answers below `PUBLIC_URL/admin` is a hub. */
export function adminVerdict({ status, body }: Asked, url: string): Finding {
  if (HUB_REFUSAL.test(body)) return finding('admin_open', { url });
  const saysNothing = (status >= 300 && status < 400) || status >= 500;
  return finding(saysNothing ? 'admin_unknown' : 'admin_closed', { url });
}

/** Answers that are later than this leave little of WeChat's 5 s, in milliseconds. */
const SLOW_PUSH_MS = 2000;

export function pushVerdict(asked: Asked, url: string): Finding {
  const { milliseconds } = asked;
  const problem = answerProblem(asked, 'success', url);
  const slow = milliseconds > SLOW_PUSH_MS;
  return problem ?? finding(slow ? 'push_slow' : 'push_ok', { url, milliseconds });
}

/** The AppSecret has 32 characters; WeChat does not say so, and gives no others. */
const APP_SECRET = /^[\w-]{32}$/;

/** Whether a platform's values are such as WeChat gives. Nothing of them is repeated. */
export function valuesVerdict(values: {
  appSecret: string;
  token: string;
  encodingAesKey: string;
}): Finding {
  const { appSecret, token, encodingAesKey } = componentFields;
  const said = (name: string, schema: typeof token, value: string): string[] => {
    const { data, error } = schema.safeParse(value);
    // The check of a form cuts off what cannot be seen at the ends; what is stored stays as it is.
    if (data === value) return [];
    return [`${name} · ${error?.issues[0]?.message ?? 'begins or ends with what cannot be seen'}`];
  };
  const lines = [
    ...said('AppSecret', appSecret, values.appSecret),
    ...said('Token', token, values.token),
    ...said('EncodingAESKey', encodingAesKey, values.encodingAesKey),
  ];
  const short = lines.every((line) => !line.startsWith('AppSecret'));
  if (short && !APP_SECRET.test(values.appSecret)) {
    lines.push('AppSecret · has not the 32 characters that those of WeChat have');
  }
  return lines.length > 0
    ? finding('values_odd', { count: lines.length }, lines)
    : finding('values_ok');
}

/** A refusal of WeChat's, as the row of the token keeps it, or as it has just come. */
export type Refusal = Pick<LastError, 'kind' | 'message' | 'details'>;

export function refusalOf({ kind, message, details }: WechatApiError): Refusal {
  return { kind, message, details };
}

/** What a refusal means where it is one of these; undefined for others. */
function knownRefusal({ kind, message, details }: Refusal): Finding | undefined {
  if (details.errcode === 61028) return finding('platform_unpublished', { message });
  if (kind === 'ip') return finding('egress_refused', { address: String(details.clientIp ?? '?') });
  const isSecret = (SECRET_REFUSALS as string[]).includes(kind);
  return isSecret ? finding('credentials_refused', { message }) : undefined;
}

/** What WeChat's answer to a call means. */
export function refusalVerdict(refusal: Refusal): Finding {
  const { kind, message } = refusal;
  const { advice } = FAILURE_POLICIES[kind];
  return knownRefusal(refusal) ?? finding('asked_refused', { message, kind, advice });
}

/** What the hub knows of an AppSecret without asking. */
export interface CredentialFacts {
  /** The last failure, where it is not over. */
  failure: Refusal | undefined;
  /** When WeChat has last taken the AppSecret, in Unix milliseconds. */
  takenAt: number | null;
}

export function credentialsVerdict({ failure, takenAt }: CredentialFacts, now: number): Finding {
  const known = failure && knownRefusal(failure);
  if (known && known.code !== 'egress_refused') return known;
  if (takenAt === null) return finding('credentials_unproven');
  return finding('credentials_ok', {
    minutes: Math.max(0, Math.floor((now - takenAt) / MINUTE_MS)),
  });
}

export function egressVerdict({ failure, takenAt }: CredentialFacts): Finding {
  const known = failure && knownRefusal(failure);
  if (known?.code === 'egress_refused') return known;
  return finding(takenAt === null ? 'egress_unproven' : 'egress_ok');
}
