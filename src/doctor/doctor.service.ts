import { Inject, Injectable, Logger } from '@nestjs/common';
import { AuthorizerStore } from '../authorizer/authorizer.store.js';
import { RefusedPushStore } from '../callback/refused-push.store.js';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { SharedReading } from '../common/shared-reading.js';
import { within } from '../common/time-limit.js';
import { HOUR_MS, isoTime, MINUTE_MS } from '../common/times.js';
import type { Component } from '../component/component.js';
import { ComponentService } from '../component/component.service.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { isLoopback } from '../config/protection.js';
import { Database } from '../database/database.js';
import { HostStore } from '../database/host.store.js';
import { clearProbe, fillProbe } from '../database/write-probe.js';
import { encryptedColumns } from '../secrets/encrypted-columns.js';
import { keysInUse } from '../secrets/keys-in-use.js';
import { SecretBox } from '../secrets/secret-box.js';
import { SubscriptionService } from '../subscription/subscription.service.js';
import { isTicketStale, isTicketUsable } from '../ticket/ticket.js';
import { TicketService } from '../ticket/ticket.service.js';
import { TokenService } from '../token/token.service.js';
import { isServable } from '../token-engine/refresh-decision.js';
import { WechatApiClient } from '../wechat-api/wechat-api.client.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import type { CheckId, DoctorCheckView, DoctorView } from './doctor.views.js';
import { finding, inWords, type Finding } from './findings.js';

/** Longest that one check may take, in milliseconds; they run beside each other. */
const CHECK_LIMIT_MS = 8000;
/** Most lines that one check says. */
const MOST_DETAILS = 50;
/** Different characters of a token that somebody has made up; of 48 hexadecimal ones there are more. */
const LEAST_CHARACTERS = 10;
/** Characters that the database is given to write. */
const PROBE_SIZE = 1024;
/** Longest that a write or read takes on a database that is well, in milliseconds. */
const SLOW_MS = 500;
/** From here on a clock is not kept by NTP, … */
const CLOCK_OFF_MS = 5000;
/** … and from here on what depends on it goes wrong. */
const CLOCK_WRONG_MS = 60_000;
/** Refreshes that are later than this are an alert, too (`ops/alerts.yml`). */
const LATE_SECONDS = 300;

/** One check: looks at one thing, changes nothing, and says what it found. */
type Check = () => Finding | Promise<Finding>;

/** What a check is called, and the platform that it is about. */
interface NamedCheck {
  id: CheckId;
  componentAppId: string | null;
  check: Check;
}

/** Looks at everything that can be checked. A further check is one more function, in {@link checks}. */
@Injectable()
export class DoctorService {
  private readonly logger = new Logger(DoctorService.name);
  /** Who asks while a run is under way is given that one. */
  private readonly reading = new SharedReading(() => this.run());

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly database: Database,
    private readonly hosts: HostStore,
    private readonly box: SecretBox,
    private readonly wechat: WechatApiClient,
    private readonly components: ComponentService,
    private readonly refused: RefusedPushStore,
    private readonly tickets: TicketService,
    private readonly tokens: TokenService,
    private readonly authorizers: AuthorizerStore,
    private readonly subscriptions: SubscriptionService,
    private readonly clock: Clock,
  ) {}

  /** All checks, each with a limit of its own; one that fails is a finding. */
  examine(): Promise<DoctorView> {
    return this.reading.get();
  }

  private async run(): Promise<DoctorView> {
    const started = performance.now();
    // What is in memory is given where the database does not answer.
    const components = await this.components.list().catch((): Component[] => []);
    const checks = await Promise.all(this.checks(components).map((named) => this.examined(named)));
    return { at: isoTime(this.clock.now()), milliseconds: millisecondsSince(started), checks };
  }

  private checks(components: Component[]): NamedCheck[] {
    const general: [CheckId, Check][] = [
      ['public_url', () => this.publicUrl()],
      ['admin_token', () => this.adminToken()],
      ['settings', () => this.settings()],
      ['database', () => this.databaseWorks()],
      ['hosts', () => this.hostsTogether()],
      ['keys', () => this.keys()],
      ['clock', () => this.clockAgainstWechat()],
      ['platforms', () => platforms(components)],
      ['refused_pushes', () => this.refusedPushes()],
      ['subscriptions', () => this.targets()],
    ];
    const ofPlatform = (component: Component): [CheckId, Check][] => [
      ['ticket', () => this.ticket(component)],
      ['token', () => this.token(component)],
      ['accounts', () => this.accounts(component)],
      ['refreshes', () => this.refreshes(component)],
    ];
    return [
      ...general.map(([id, check]) => ({ id, componentAppId: null, check })),
      ...components.flatMap((component) =>
        ofPlatform(component).map(([id, check]) => {
          const { appid: componentAppId, enabled } = component;
          return {
            id,
            componentAppId,
            check: enabled ? check : () => finding('platform_disabled'),
          };
        }),
      ),
    ];
  }

  private async examined({ id, componentAppId, check }: NamedCheck): Promise<DoctorCheckView> {
    const started = performance.now();
    const found = await within(CHECK_LIMIT_MS, this.found(check), () =>
      finding('check_late', { seconds: CHECK_LIMIT_MS / 1000 }),
    );
    const { code, facts, details } = found;
    const { status, seen, remedy = null, docs = null } = inWords(found);
    return {
      id,
      componentAppId,
      status,
      code,
      facts,
      seen,
      remedy,
      docs,
      details: details.slice(0, MOST_DETAILS),
      milliseconds: millisecondsSince(started),
    };
  }

  private async found(check: Check): Promise<Finding> {
    try {
      return await check();
    } catch (error) {
      if (!(error instanceof HubError)) this.logger.error('A check of the doctor failed', error);
      return finding('check_failed', { message: messageOf(error) });
    }
  }

  private publicUrl(): Finding {
    const { publicUrl: url, settings } = this.config;
    const isSet = settings.some(({ name, value }) => name === 'PUBLIC_URL' && value !== null);
    if (!isSet) return finding('public_url_unset', { url });
    if (isLoopback(url)) return finding('public_url_local', { url });
    const isHttps = new URL(url).protocol === 'https:';
    return finding(isHttps ? 'public_url_ok' : 'public_url_http', { url });
  }

  private adminToken(): Finding {
    const token = this.config.adminToken?.reveal();
    if (token === undefined) return finding('admin_token_made');
    const count = new Set(token).size;
    return count < LEAST_CHARACTERS
      ? finding('admin_token_weak', { count })
      : finding('admin_token_ok');
  }

  private settings(): Finding {
    const { warnings } = this.config;
    const count = warnings.length;
    return count > 0
      ? finding('settings_doubtful', { count }, [...warnings])
      : finding('settings_ok');
  }

  private async databaseWorks(): Promise<Finding> {
    try {
      const started = performance.now();
      await this.database.transaction(async (manager) => {
        await fillProbe(PROBE_SIZE, manager);
        await clearProbe(manager);
      });
      const write = millisecondsSince(started);
      const written = performance.now();
      // After a write that failed, this writes as much again.
      await this.database.check();
      const read = millisecondsSince(written);
      const slow = Math.max(write, read) > SLOW_MS;
      return finding(slow ? 'database_slow' : 'database_ok', { write, read });
    } catch (error) {
      return finding('database_down', { message: messageOf(error) });
    }
  }

  /** A host that was killed is among them for some minutes. */
  private async hostsTogether(): Promise<Finding> {
    const running = await this.hosts.running();
    const count = running.length;
    const lines = running.map(({ name, pid, version, lastSeenAt }) =>
      [name, `pid ${pid}`, version ?? '?', isoTime(lastSeenAt)].join(' · '),
    );
    if (count > 1 && this.database.dialect === 'sqlite') {
      return finding('hosts_on_sqlite', { count }, lines);
    }
    const versions = new Set(running.map(({ version }) => version)).size;
    return versions > 1
      ? finding('hosts_differ', { count: versions }, lines)
      : finding('hosts_ok', { count });
  }

  /** By the first and last rows of each table. */
  private async keys(): Promise<Finding> {
    const columns = await keysInUse(this.database);
    const missing = new Map<string, string[]>();
    for (const { column, keyIds } of columns) {
      for (const id of keyIds.filter((one) => !this.box.hasKey(one))) {
        missing.set(id, [...(missing.get(id) ?? []), column]);
      }
    }
    if (missing.size > 0) {
      const lines = [...missing].map(([id, places]) => `${id}: ${places.join(', ')}`);
      return finding('keys_missing', { count: missing.size }, lines);
    }
    const { table, column } = encryptedColumns.ticket;
    const wanted = this.config.legacyTicketPlaintext ? `${table}.${column}` : undefined;
    const plain = columns.filter((one) => one.plain && one.column !== wanted);
    return plain.length > 0
      ? finding(
          'keys_plain',
          { count: plain.length },
          plain.map((one) => one.column),
        )
      : finding('keys_ok');
  }

  private async clockAgainstWechat(): Promise<Finding> {
    try {
      const before = this.clock.now();
      const theirs = await this.wechat.clock();
      if (theirs === undefined) return finding('clock_unknown');
      // They said the time somewhere in between, and cut the second off.
      const off = Math.abs((before + this.clock.now()) / 2 - (theirs + 500));
      const seconds = Math.round(off / 1000);
      if (off >= CLOCK_WRONG_MS) return finding('clock_wrong', { seconds });
      return finding(off >= CLOCK_OFF_MS ? 'clock_off' : 'clock_ok', { seconds });
    } catch (error) {
      if (!(error instanceof WechatApiError)) throw error;
      return finding('wechat_unreachable', { message: error.message });
    }
  }

  private async ticket({ appid, problem }: Component): Promise<Finding> {
    if (problem) return finding('platform_unreadable', { message: problem.message });
    const ticket = await this.tickets.latest(appid);
    const url = `${this.config.publicUrl}/callback/${appid}/events`;
    if (!ticket) return finding('ticket_none', { url });
    const unreadable = ticket.ticket.problem;
    if (unreadable) return finding('ticket_unreadable', { message: unreadable.message });
    const now = this.clock.now();
    const minutes = Math.max(0, Math.floor((now - ticket.createTime * 1000) / MINUTE_MS));
    if (!isTicketUsable(ticket, now)) return finding('ticket_expired', { minutes, url });
    return isTicketStale(ticket, now)
      ? finding('ticket_late', { minutes, url })
      : finding('ticket_ok', { minutes });
  }

  private async token({ appid, problem }: Component): Promise<Finding> {
    if (problem) return finding('platform_unreadable', { message: problem.message });
    const state = await this.tokens.inspect(appid);
    const now = this.clock.now();
    const { lastError, attempts } = state;
    const valid = isServable(state, now) && state.invalidatedAt === null;
    const minutes = Math.max(0, Math.floor(((state.expiresAt ?? 0) - now) / MINUTE_MS));
    if (lastError && attempts > 0) {
      const { message, advice } = lastError;
      const facts = { message, advice };
      return valid
        ? finding('token_failing', { ...facts, minutes })
        : finding('token_failed', facts);
    }
    return valid ? finding('token_ok', { minutes }) : finding('token_none');
  }

  private async accounts({ appid }: Component): Promise<Finding> {
    const count = (await this.authorizers.counts())
      .filter((one) => one.componentAppId === appid && one.status === 'needs_reauthorization')
      .reduce((sum, one) => sum + one.count, 0);
    return count > 0 ? finding('accounts_lost', { count }) : finding('accounts_ok');
  }

  private async refreshes({ appid }: Component): Promise<Finding> {
    const lateness = await this.authorizers.lateness();
    const seconds = lateness.find((one) => one.componentAppId === appid)?.seconds ?? 0;
    return seconds > LATE_SECONDS
      ? finding('refreshes_late', { minutes: Math.floor(seconds / 60) })
      : finding('refreshes_ok');
  }

  private async refusedPushes(): Promise<Finding> {
    const since = this.clock.now() - HOUR_MS;
    const rows = await this.refused.since(since, MOST_DETAILS);
    if (rows.length === 0) return finding('refused_none');
    const count = rows.reduce((sum, row) => sum + row.count, 0);
    const lines = rows.map(({ count: times, code, url, componentAppId, sourceAddress }) =>
      [`${times} × ${code}`, url, componentAppId ?? '-', sourceAddress].join(' · '),
    );
    return finding('refused_some', { count }, lines);
  }

  private async targets(): Promise<Finding> {
    const all = await this.subscriptions.list();
    const unreadable = all.filter(({ problem }) => problem);
    if (unreadable.length > 0) {
      const lines = unreadable.map(({ name, id }) => `${name} (${id})`);
      return finding('subscriptions_unreadable', { count: unreadable.length }, lines);
    }
    // One that an operator has disabled is as it is meant to be.
    const ill = all.filter(({ enabled, failingSince, disabledReason }) =>
      enabled ? failingSince !== null : disabledReason !== null,
    );
    if (ill.length > 0) {
      const lines = ill.map(({ name, id, disabledReason }) =>
        [`${name} (${id})`, disabledReason ?? 'failing'].join(' · '),
      );
      return finding('subscriptions_failing', { count: ill.length }, lines);
    }
    return all.length > 0
      ? finding('subscriptions_ok', { count: all.length })
      : finding('subscriptions_none');
  }
}

function platforms(components: Component[]): Finding {
  return components.length > 0
    ? finding('platforms_ok', { count: components.length })
    : finding('platforms_none');
}

function millisecondsSince(started: number): number {
  return Math.round(performance.now() - started);
}

/** What is no error of the hub's may have anything in its text. */
function messageOf(error: unknown): string {
  return error instanceof HubError ? error.message : 'an unexpected error';
}
