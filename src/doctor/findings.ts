import { HubError } from '../common/hub-error.js';
import { remark, withFacts } from '../common/remarks.js';
import { codeOf } from '../database/database-error.js';

/** Most lines that one check says. */
export const MOST_DETAILS = 50;

/** How well something is; `skipped` where there is nothing to look at. */
export const CHECK_STATUSES = ['ok', 'warning', 'failure', 'skipped'] as const;
export type CheckStatus = (typeof CHECK_STATUSES)[number];

/** What a check may find, as data. `{name}` is the place of a fact. */
interface Meaning {
  status: CheckStatus;
  seen: string;
  remedy?: string;
}

/** Everything that the doctor can say; `console/src/texts/findings.ts` has it in Chinese. */
export const FINDINGS = {
  check_failed: {
    status: 'failure',
    seen: 'The check itself failed: {message}',
    remedy: "Look at the hub's log.",
  },
  check_late: {
    status: 'failure',
    seen: 'The check was not over within {seconds} s',
    remedy: 'Look at the database and at the network, then check again.',
  },
  no_database: { status: 'skipped', seen: 'Not looked at: it wants the database' },
  only_asked: {
    status: 'skipped',
    seen: 'Not looked at: it calls WeChat, or pushes. Asked for by POST /admin/doctor or --ask',
  },
  public_url_ok: { status: 'ok', seen: 'PUBLIC_URL is {url}' },
  public_url_unset: {
    status: 'warning',
    seen: 'PUBLIC_URL is not set: {url} is shown and used instead',
    remedy: 'Set PUBLIC_URL to the address at which WeChat and browsers reach the hub.',
  },
  public_url_local: {
    status: 'warning',
    seen: 'PUBLIC_URL is {url}, which only this machine reaches',
    remedy: 'Set PUBLIC_URL to the address at which WeChat and browsers reach the hub.',
  },
  public_url_http: {
    status: 'warning',
    seen: 'PUBLIC_URL is {url}: what browsers send can be read on the way',
    remedy: 'Put TLS in front of the hub and set PUBLIC_URL to the https: address.',
  },
  admin_token_ok: { status: 'ok', seen: 'The admin token is long and varied enough' },
  admin_token_made: { status: 'ok', seen: 'The hub made its admin token at the first start' },
  admin_token_weak: {
    status: 'warning',
    seen: 'ADMIN_TOKEN has only {count} different characters',
    remedy: 'Make another one by: openssl rand -hex 24',
  },
  settings_ok: { status: 'ok', seen: 'No setting undoes a protection' },
  settings_doubtful: {
    status: 'warning',
    seen: 'Settings that weaken a protection: {count}',
    remedy: 'Change them, unless they are wanted.',
  },
  settings_invalid: {
    status: 'failure',
    seen: 'Settings with which the hub does not start: {count}',
    remedy: 'Correct what the lines name.',
  },
  files_ok: { status: 'ok', seen: 'Files that the hub can use and others cannot read: {count}' },
  files_open: {
    status: 'warning',
    seen: 'Files that other users of this machine can read: {count}',
    remedy: 'Run for each: chmod 600 FILE',
  },
  files_unusable: {
    status: 'failure',
    seen: 'Files and folders that the hub cannot use: {count}',
    remedy: 'Do what the lines say.',
  },
  database_ok: { status: 'ok', seen: 'Written within {write} ms, read within {read} ms' },
  database_slow: {
    status: 'warning',
    seen: 'Slow: written within {write} ms, read within {read} ms',
    remedy: 'Look for a disk or a server that is overloaded. WeChat waits 5 s for an answer.',
  },
  database_down: {
    status: 'failure',
    seen: 'The database cannot be written: {message}',
    remedy: 'Look at its disk, its server and its locks. Pushes are refused until it works.',
  },
  database_unreachable: {
    status: 'failure',
    seen: 'The database cannot be opened: {message}',
    remedy: 'Correct DATABASE_URL, or start the database.',
  },
  server_ok: { status: 'ok', seen: '{product} {version}; its time zone: {zone}' },
  server_old: {
    status: 'warning',
    seen: '{product} {version} is older than what the hub is tested with',
    remedy: 'Update to MySQL 8.4 or MariaDB 10.11.',
  },
  server_charset: {
    status: 'warning',
    seen: 'Tables whose text is not utf8mb4: {count}',
    remedy: 'ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, one by one.',
  },
  server_journal: {
    status: 'warning',
    seen: '{product} {version} writes by {journal}, not by wal',
    remedy: 'Start the hub on it, which sets wal; a file system that lacks it is not a local disk.',
  },
  schema_ok: { status: 'ok', seen: 'The schema is up to date' },
  schema_behind: {
    status: 'failure',
    seen: 'Migrations that the database still needs: {count}',
    remedy: 'Run: npm run migration:run, or restart the hub.',
  },
  schema_ahead: {
    status: 'warning',
    seen: 'Migrations that this version does not know: {count}',
    remedy: 'A newer version has used the database: update this one, too.',
  },
  disk_ok: { status: 'ok', seen: 'Free beside the database file: {megabytes} MiB' },
  disk_low: {
    status: 'warning',
    seen: 'Free beside the database file: {megabytes} MiB only',
    remedy: 'Make room, or keep pushes for fewer days.',
  },
  disk_full: {
    status: 'failure',
    seen: 'Free beside the database file: {megabytes} MiB, too little to go on',
    remedy: 'Make room now: pushes are refused when nothing can be written.',
  },
  disk_elsewhere: { status: 'skipped', seen: 'The disk of the database server cannot be seen' },
  replication_none: { status: 'skipped', seen: 'The database is no replica' },
  replication_hidden: {
    status: 'skipped',
    seen: 'Whether the database is a replica may not be seen by this user',
  },
  replication_ok: { status: 'ok', seen: 'The replica is {seconds} s behind' },
  replication_late: {
    status: 'warning',
    seen: 'The replica is {seconds} s behind',
    remedy: 'Use the source for the hub: what is read late is wrong.',
  },
  replication_broken: {
    status: 'failure',
    seen: 'The database is a replica that gets nothing from its source',
    remedy: 'Repair the replication, or use the source for the hub.',
  },
  database_clock_ok: { status: 'ok', seen: 'The clock is {seconds} s from that of the database' },
  database_clock_off: {
    status: 'warning',
    seen: 'The clock is {seconds} s from that of the database',
    remedy: 'Let both machines keep their clocks by NTP.',
  },
  database_clock_same: { status: 'skipped', seen: 'The database has the clock of this machine' },
  hosts_ok: { status: 'ok', seen: 'Hosts that share the database, all of one version: {count}' },
  hosts_differ: {
    status: 'warning',
    seen: 'The hosts that share the database run different versions: {count}',
    remedy:
      'Bring all of them to the newest one. Within minutes of an update this is as it must be.',
  },
  hosts_on_sqlite: {
    status: 'warning',
    seen: 'Hubs that use one SQLite file: {count}',
    remedy:
      'Stop all but one, or move to MySQL. One that was killed is counted for two minutes more.',
  },
  clock_ok: { status: 'ok', seen: 'The clock is {seconds} s from that of WeChat' },
  clock_off: {
    status: 'warning',
    seen: 'The clock is {seconds} s from that of WeChat',
    remedy: 'Let the machine keep its clock by NTP.',
  },
  clock_wrong: {
    status: 'failure',
    seen: 'The clock is {seconds} s from that of WeChat: pushes may be refused for their time',
    remedy: 'Let the machine keep its clock by NTP.',
  },
  clock_unknown: { status: 'skipped', seen: 'WeChat did not say the time' },
  wechat_unreachable: {
    status: 'failure',
    seen: 'WeChat does not answer: {message}',
    remedy: 'Check DNS, the firewall and the proxy on the way to WECHAT_API_BASE_URL.',
  },
  proxy_none: { status: 'ok', seen: 'No proxy is set: WeChat and deliveries are called directly' },
  proxy_unused: {
    status: 'ok',
    seen: '{host} is called directly: NO_PROXY names it, or the proxy is for other addresses',
  },
  proxy_ok: { status: 'ok', seen: '{host} is called through the proxy {proxy}' },
  proxy_unreachable: {
    status: 'failure',
    seen: 'No way out: {message}',
    remedy: 'Correct HTTPS_PROXY or HTTP_PROXY, or let this machine reach the proxy.',
  },
  wechat_ok: { status: 'ok', seen: '{host} answers within {milliseconds} ms' },
  wechat_dns: {
    status: 'failure',
    seen: 'The name {host} has no address: {message}',
    remedy: "Check this machine's DNS, and WECHAT_API_BASE_URL.",
  },
  wechat_tls: {
    status: 'failure',
    seen: 'No TLS with {host}: {message}',
    remedy:
      'Something between reads or changes TLS, or the clock is wrong. Give the authority of a ' +
      'proxy of your own by NODE_EXTRA_CA_CERTS.',
  },
  wechat_proxy: {
    status: 'failure',
    seen: 'No way to {host}: {message}',
    remedy: 'Check HTTPS_PROXY, its user and password, NO_PROXY, and what the proxy allows.',
  },
  platforms_ok: { status: 'ok', seen: 'Platforms: {count}' },
  platforms_none: {
    status: 'warning',
    seen: 'There is no platform yet',
    remedy: 'Add one in the console, or by POST /admin/components.',
  },
  platform_disabled: { status: 'skipped', seen: 'The platform is disabled' },
  platform_unreadable: {
    status: 'failure',
    seen: 'The secrets of the platform cannot be read: {message}',
    remedy: 'Give MASTER_KEYS the key that is missing, or enter the secrets again.',
  },
  outside_ok: {
    status: 'ok',
    seen: '{url} leads to this hub, within {milliseconds} ms, path and query unchanged',
  },
  outside_certificate: {
    status: 'warning',
    seen: 'The certificate of {url} ends in {days} days',
    remedy: 'Renew it: WeChat does not push to one that has ended.',
  },
  outside_unset: { status: 'skipped', seen: 'PUBLIC_URL is not set' },
  outside_no_platform: {
    status: 'ok',
    seen: '{url} answers within {milliseconds} ms; without a platform no more can be seen',
  },
  way_dns: {
    status: 'failure',
    seen: 'The name in {url} has no address: {message}',
    remedy: 'Enter the name into the DNS, and wait until it is known.',
  },
  way_tls: {
    status: 'failure',
    seen: 'The certificate of {url} is refused: {message}',
    remedy: 'Have the proxy send a valid certificate of that name with its whole chain.',
  },
  way_unreachable: {
    status: 'failure',
    seen: '{url} cannot be reached from this machine: {message}',
    remedy: 'Check port 443 or 80, firewall, proxy, and whether the network leads back to itself.',
  },
  way_redirect: {
    status: 'failure',
    seen: '{url} leads on to {location}, and WeChat does not follow',
    remedy: 'Let the proxy answer /callback itself, by http as by https.',
  },
  way_query: {
    status: 'failure',
    seen: 'The query is lost or changed on the way through {url}: {answer}',
    remedy: 'Have the proxy pass path and query on as they are.',
  },
  way_path: {
    status: 'failure',
    seen: 'The path is lost or changed on the way through {url}, or another hub answers: {answer}',
    remedy: 'Have the proxy pass /callback on to this hub, with path and query as they are.',
  },
  way_changed: {
    status: 'failure',
    seen: 'The answer is another one on the way through {url}: {answer}',
    remedy: 'Have the proxy pass bodies on as they are: no page, banner or compression of its own.',
  },
  way_refused: {
    status: 'failure',
    seen: '{url} answers {answer}',
    remedy: "Look at the proxy and at the hub's log.",
  },
  admin_closed: { status: 'ok', seen: '{url}/admin is not served to the outside' },
  admin_open: {
    status: 'warning',
    seen: '{url}/admin is served to the outside',
    remedy: 'Have the proxy pass on /callback and /authorize only.',
  },
  admin_unknown: {
    status: 'skipped',
    seen: 'What {url}/admin answers does not say whether it is served',
  },
  push_ok: { status: 'ok', seen: 'A push through {url} was answered success in {milliseconds} ms' },
  push_slow: {
    status: 'warning',
    seen: 'A push through {url} was answered success, but only after {milliseconds} ms',
    remedy: 'Look at the database and the way: WeChat waits 5 s, and pushes come together.',
  },
  push_no_ticket: { status: 'skipped', seen: 'There is no ticket yet that could be pushed again' },
  values_ok: {
    status: 'ok',
    seen: 'AppSecret, Token and EncodingAESKey look like those of WeChat',
  },
  values_odd: {
    status: 'warning',
    seen: 'Values that do not look like those of WeChat: {count}',
    remedy: 'Copy them again from the WeChat console, without spaces.',
  },
  ticket_ok: { status: 'ok', seen: 'The newest ticket is {minutes} min old' },
  ticket_none: {
    status: 'failure',
    seen: 'No ticket has ever arrived',
    remedy:
      "Check at WeChat that the platform's 授权事件接收URL is {url} and that Token and " +
      'EncodingAESKey are the same there and here; then ask for a ticket.',
  },
  ticket_late: {
    status: 'warning',
    seen: 'The newest ticket is {minutes} min old; WeChat pushes one every 10 min',
    remedy: 'Check that WeChat reaches {url}, and look at the refused pushes.',
  },
  ticket_expired: {
    status: 'failure',
    seen: 'The newest ticket is {minutes} min old, and WeChat takes it no longer',
    remedy: 'Check that WeChat reaches {url}, look at the refused pushes, then ask for a ticket.',
  },
  ticket_unreadable: {
    status: 'failure',
    seen: 'The newest ticket cannot be read: {message}',
    remedy: 'Give MASTER_KEYS the key that is missing; the next ticket repairs it, too.',
  },
  token_ok: { status: 'ok', seen: 'The token is valid for another {minutes} min' },
  token_none: {
    status: 'warning',
    seen: 'There is no valid token, and no failure that says why',
    remedy: 'It comes with the next ticket, or when a service asks for it.',
  },
  token_failing: {
    status: 'warning',
    seen: 'The token is valid for another {minutes} min and cannot be refreshed: {message}',
    remedy: '{advice}',
  },
  token_failed: {
    status: 'failure',
    seen: 'There is no valid token: {message}',
    remedy: '{advice}',
  },
  credentials_ok: { status: 'ok', seen: 'WeChat took AppID and AppSecret {minutes} min ago' },
  credentials_unproven: {
    status: 'skipped',
    seen: 'WeChat has not been asked yet with this AppSecret',
  },
  credentials_refused: {
    status: 'failure',
    seen: 'WeChat refuses AppID or AppSecret: {message}',
    remedy: 'Compare both with the WeChat console (管理中心 → 第三方平台 → 开发资料).',
  },
  platform_unpublished: {
    status: 'failure',
    seen: 'WeChat says that the platform is not published: {message}',
    remedy: 'Publish it (全网发布), or use accounts of its list for tests only until then.',
  },
  egress_ok: { status: 'ok', seen: 'WeChat takes calls from the address of this hub' },
  egress_unproven: { status: 'skipped', seen: 'WeChat has not been called yet' },
  egress_refused: {
    status: 'failure',
    seen: 'WeChat sees calls from {address}, which is not on the white list',
    remedy: 'Add {address} to the 白名单IP地址列表 of the platform.',
  },
  asked_ok: {
    status: 'ok',
    seen: 'WeChat took AppID, AppSecret, address and token; pushing of tickets: {answer}',
  },
  asked_secret: {
    status: 'ok',
    seen: 'WeChat took AppID, AppSecret and address; pushing of tickets: {answer}. No token yet',
  },
  asked_too_soon: {
    status: 'skipped',
    seen: 'WeChat was asked less than a minute ago',
  },
  asked_refused: {
    status: 'failure',
    seen: 'WeChat refuses: {message}',
    remedy: '{advice}',
  },
  permissions_ok: { status: 'ok', seen: 'No call was refused for want of a permission today' },
  permissions_missing: {
    status: 'warning',
    seen: 'Calls of the last day that WeChat refused for want of a permission: {count}',
    remedy:
      '61007: the account has not granted the permission set; have it authorized again with it. ' +
      '48001: the account itself lacks the API.',
  },
  refused_none: { status: 'ok', seen: 'No push was refused in the last hour' },
  refused_some: {
    status: 'warning',
    seen: 'Pushes that were refused, up to within the last hour: {count}',
    remedy:
      'signature_invalid: Token or EncodingAESKey differ from those at WeChat. not_found: the URL ' +
      'at WeChat is another one. Senders that are not WeChat may be ignored.',
  },
  accounts_ok: { status: 'ok', seen: 'No account needs to be authorized again' },
  accounts_lost: {
    status: 'warning',
    seen: 'Accounts that need to be authorized again: {count}',
    remedy: 'Send their owners an authorization link.',
  },
  refreshes_ok: { status: 'ok', seen: 'The tokens of accounts are refreshed in time' },
  refreshes_late: {
    status: 'warning',
    seen: 'The oldest refresh of an account is {minutes} min late',
    remedy: 'Look at the token of the platform, and at the accounts whose refreshes fail.',
  },
  subscriptions_ok: { status: 'ok', seen: 'Subscriptions: {count}, all of them well' },
  subscriptions_none: { status: 'skipped', seen: 'There is no subscription' },
  subscriptions_failing: {
    status: 'warning',
    seen: 'Subscriptions whose targets fail or were given up: {count}',
    remedy: 'Repair the services, enable what was disabled, then replay what was not delivered.',
  },
  subscriptions_unreadable: {
    status: 'failure',
    seen: 'Subscriptions that cannot be read: {count}',
    remedy: 'Give MASTER_KEYS the key that is missing, or rotate their secrets.',
  },
  keys_ok: { status: 'ok', seen: 'Every master key that a value is under is there' },
  keys_unfinished: {
    status: 'ok',
    seen: 'No master key is missing so far; columns that are too long to be looked through: {count}',
  },
  keys_unusable: {
    status: 'failure',
    seen: 'The master key cannot be used: {message}',
    remedy: 'Restore it, or set MASTER_KEYS.',
  },
  keys_plain: {
    status: 'warning',
    seen: 'Columns with values that are not encrypted: {count}',
    remedy: 'Run: npm run secrets:rotate',
  },
  keys_missing: {
    status: 'failure',
    seen: 'Master keys that values are under and that the hub does not have: {count}',
    remedy: 'Add them to MASTER_KEYS, behind the first one.',
  },
} as const satisfies Record<string, Meaning>;

export type FindingCode = keyof typeof FINDINGS;

/** What was found, and the facts of its sentences. */
export interface Finding {
  code: FindingCode;
  facts: Record<string, string | number>;
  /** One line each, as they are: rows, names, ids. */
  details: string[];
}

export function finding(
  code: FindingCode,
  facts: Finding['facts'] = {},
  details: string[] = [],
): Finding {
  return { code, facts, details };
}

/** A finding in words. */
export function inWords({ code, facts }: Finding): Meaning {
  const meaning: Meaning = FINDINGS[code];
  return {
    ...meaning,
    seen: withFacts(meaning.seen, facts),
    ...(meaning.remedy && { remedy: withFacts(meaning.remedy, facts) }),
  };
}

/** An error in a line; what is no error of the hub's may have anything in its text. */
export function problemOf(error: unknown): string {
  const code = codeOf(error);
  if (!(error instanceof HubError)) {
    return code === '' ? remark('unexpected') : remark('unexpected_code', { code });
  }
  return code === '' ? error.message : `${error.message} (${code})`;
}
