/** How well something is; `skipped` where there is nothing to look at. */
export const CHECK_STATUSES = ['ok', 'warning', 'failure', 'skipped'] as const;
export type CheckStatus = (typeof CHECK_STATUSES)[number];

/** What a check may find, as data. `{name}` is the place of a fact. */
interface Meaning {
  status: CheckStatus;
  seen: string;
  remedy?: string;
  /** Where in the documents of this repository more is said. */
  docs?: string;
}

const SETTINGS = 'docs/settings.md';
const PLATFORM_VALUES = 'docs/operations.md#changing-token-encodingaeskey-or-appsecret';
const NO_PUSH = 'docs/operations.md#when-no-push-arrives';
const REFUSES = 'docs/operations.md#when-wechat-refuses';
const DATABASE = 'docs/operations.md#when-the-database-is-slow-or-gone';
const MASTER_KEY = 'docs/operations.md#rotating-the-master-key';
const ACCOUNTS = 'docs/operations.md#accounts-authorizers';
const DELIVERIES = 'docs/operations.md#deliveries';

/** Everything that the doctor can say; the console has the same in its catalogues. */
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
  public_url_ok: { status: 'ok', seen: 'PUBLIC_URL is {url}' },
  public_url_unset: {
    status: 'warning',
    seen: 'PUBLIC_URL is not set: {url} is shown and used instead',
    remedy: 'Set PUBLIC_URL to the address at which WeChat and browsers reach the hub.',
    docs: SETTINGS,
  },
  public_url_local: {
    status: 'warning',
    seen: 'PUBLIC_URL is {url}, which only this machine reaches',
    remedy: 'Set PUBLIC_URL to the address at which WeChat and browsers reach the hub.',
    docs: SETTINGS,
  },
  public_url_http: {
    status: 'warning',
    seen: 'PUBLIC_URL is {url}: what browsers send can be read on the way',
    remedy: 'Put TLS in front of the hub and set PUBLIC_URL to the https: address.',
    docs: 'docs/security.md#what-to-put-in-front',
  },
  admin_token_ok: { status: 'ok', seen: 'The admin token is long and varied enough' },
  admin_token_made: { status: 'ok', seen: 'The hub made its admin token at the first start' },
  admin_token_weak: {
    status: 'warning',
    seen: 'ADMIN_TOKEN has only {count} different characters',
    remedy: 'Make another one by: openssl rand -hex 24',
    docs: SETTINGS,
  },
  settings_ok: { status: 'ok', seen: 'No setting undoes a protection' },
  settings_doubtful: {
    status: 'warning',
    seen: 'Settings that weaken a protection: {count}',
    remedy: 'Change them, unless they are wanted.',
    docs: 'docs/operations.md#settings-that-undo-a-protection',
  },
  database_ok: { status: 'ok', seen: 'Written within {write} ms, read within {read} ms' },
  database_slow: {
    status: 'warning',
    seen: 'Slow: written within {write} ms, read within {read} ms',
    remedy: 'Look for a disk or a server that is overloaded. WeChat waits 5 s for an answer.',
    docs: DATABASE,
  },
  database_down: {
    status: 'failure',
    seen: 'The database cannot be written: {message}',
    remedy: 'Look at its disk, its server and its locks. Pushes are refused until it works.',
    docs: DATABASE,
  },
  hosts_ok: { status: 'ok', seen: 'Hosts that share the database, all of one version: {count}' },
  hosts_differ: {
    status: 'warning',
    seen: 'The hosts that share the database run different versions: {count}',
    remedy:
      'Bring all of them to the newest one. Within minutes of an update this is as it must be.',
    docs: 'docs/operations.md#hosts',
  },
  hosts_on_sqlite: {
    status: 'warning',
    seen: 'Hubs that use one SQLite file: {count}',
    remedy:
      'Stop all but one, or move to MySQL. One that was killed is counted for two minutes more.',
    docs: 'docs/operations.md#hosts',
  },
  clock_ok: { status: 'ok', seen: 'The clock is {seconds} s from that of WeChat' },
  clock_off: {
    status: 'warning',
    seen: 'The clock is {seconds} s from that of WeChat',
    remedy: 'Let the machine keep its clock by NTP.',
    docs: 'docs/operations.md#hosts',
  },
  clock_wrong: {
    status: 'failure',
    seen: 'The clock is {seconds} s from that of WeChat: pushes may be refused for their time',
    remedy: 'Let the machine keep its clock by NTP.',
    docs: 'docs/operations.md#hosts',
  },
  clock_unknown: { status: 'skipped', seen: 'WeChat answered without saying the time' },
  wechat_unreachable: {
    status: 'failure',
    seen: 'WeChat does not answer: {message}',
    remedy: 'Check DNS, the firewall and the proxy on the way to WECHAT_API_BASE_URL.',
    docs: 'docs/operations.md#behind-a-proxy',
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
    docs: MASTER_KEY,
  },
  ticket_ok: { status: 'ok', seen: 'The newest ticket is {minutes} min old' },
  ticket_none: {
    status: 'failure',
    seen: 'No ticket has ever arrived',
    remedy:
      "Check at WeChat that the platform's 授权事件接收URL is {url} and that Token and " +
      'EncodingAESKey are the same there and here; then ask for a ticket.',
    docs: NO_PUSH,
  },
  ticket_late: {
    status: 'warning',
    seen: 'The newest ticket is {minutes} min old; WeChat pushes one every 10 min',
    remedy: 'Check that WeChat reaches {url}, and look at the refused pushes.',
    docs: NO_PUSH,
  },
  ticket_expired: {
    status: 'failure',
    seen: 'The newest ticket is {minutes} min old, and WeChat takes it no longer',
    remedy: 'Check that WeChat reaches {url}, look at the refused pushes, then ask for a ticket.',
    docs: NO_PUSH,
  },
  ticket_unreadable: {
    status: 'failure',
    seen: 'The newest ticket cannot be read: {message}',
    remedy: 'Give MASTER_KEYS the key that is missing; the next ticket repairs it, too.',
    docs: MASTER_KEY,
  },
  token_ok: { status: 'ok', seen: 'The token is valid for another {minutes} min' },
  token_none: {
    status: 'warning',
    seen: 'There is no valid token, and no failure that says why',
    remedy: 'It comes with the next ticket, or when a service asks for it.',
    docs: 'docs/operations.md#tickets',
  },
  token_failing: {
    status: 'warning',
    seen: 'The token is valid for another {minutes} min and cannot be refreshed: {message}',
    remedy: '{advice}',
    docs: REFUSES,
  },
  token_failed: {
    status: 'failure',
    seen: 'There is no valid token: {message}',
    remedy: '{advice}',
    docs: REFUSES,
  },
  refused_none: { status: 'ok', seen: 'No push was refused in the last hour' },
  refused_some: {
    status: 'warning',
    seen: 'Pushes that were refused, up to within the last hour: {count}',
    remedy:
      'signature_invalid: Token or EncodingAESKey differ from those at WeChat. not_found: the URL ' +
      'at WeChat is another one. Senders that are not WeChat may be ignored.',
    docs: PLATFORM_VALUES,
  },
  accounts_ok: { status: 'ok', seen: 'No account needs to be authorized again' },
  accounts_lost: {
    status: 'warning',
    seen: 'Accounts that need to be authorized again: {count}',
    remedy: 'Send their owners an authorization link.',
    docs: ACCOUNTS,
  },
  refreshes_ok: { status: 'ok', seen: 'The tokens of accounts are refreshed in time' },
  refreshes_late: {
    status: 'warning',
    seen: 'The oldest refresh of an account is {minutes} min late',
    remedy: 'Look at the token of the platform, and at the accounts whose refreshes fail.',
    docs: ACCOUNTS,
  },
  subscriptions_ok: { status: 'ok', seen: 'Subscriptions: {count}, all of them well' },
  subscriptions_none: { status: 'skipped', seen: 'There is no subscription' },
  subscriptions_failing: {
    status: 'warning',
    seen: 'Subscriptions whose targets fail or were given up: {count}',
    remedy: 'Repair the services, enable what was disabled, then replay what was not delivered.',
    docs: DELIVERIES,
  },
  subscriptions_unreadable: {
    status: 'failure',
    seen: 'Subscriptions that cannot be read: {count}',
    remedy: 'Give MASTER_KEYS the key that is missing, or rotate their secrets.',
    docs: MASTER_KEY,
  },
  keys_ok: { status: 'ok', seen: 'Every master key that values were found under is there' },
  keys_plain: {
    status: 'warning',
    seen: 'Columns with values that are not encrypted: {count}',
    remedy: 'Run: npm run secrets:rotate',
    docs: MASTER_KEY,
  },
  keys_missing: {
    status: 'failure',
    seen: 'Master keys that values are under and that the hub does not have: {count}',
    remedy: 'Add them to MASTER_KEYS, behind the first one.',
    docs: MASTER_KEY,
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
  const filled = (text: string): string =>
    text.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(facts[name] ?? ''));
  return {
    ...meaning,
    seen: filled(meaning.seen),
    ...(meaning.remedy && { remedy: filled(meaning.remedy) }),
  };
}
