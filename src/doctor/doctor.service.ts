import { Injectable, Logger } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Background } from '../common/background.js';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { SharedReading } from '../common/shared-reading.js';
import { emitTelemetry } from '../common/telemetry.js';
import { within } from '../common/time-limit.js';
import { workerNumber } from '../common/worker.js';
import { isoTime, millisecondsSince } from '../common/times.js';
import type { Component } from '../component/component.js';
import { ComponentService } from '../component/component.service.js';
import { toRemarkView } from '../http/remark-view.js';
import { DatabaseChecks } from './database-checks.js';
import type { CheckId, DoctorCheckView, DoctorView } from './doctor.views.js';
import {
  CHECK_STATUSES,
  finding,
  inWords,
  MOST_DETAILS,
  problemOf,
  type Finding,
} from './findings.js';
import { HostChecks } from './host-checks.js';
import { OutsideChecks } from './outside-checks.js';
import { PlatformChecks } from './platform-checks.js';
import { Surroundings } from './surroundings.js';
import { TrafficChecks } from './traffic-checks.js';
import { WechatChecks } from './wechat-checks.js';

/** Longest that one check may take, in milliseconds; they run beside each other. */
const CHECK_LIMIT_MS = 5000;
/** Longest that it waits for an answer of somebody else: it then says so itself. */
const ANSWER_LIMIT_MS = 4500;

/**
 * How far a run goes: `here` calls nobody, `out` sends nothing that counts, `asked` calls WeChat with
 * the platform's credentials and pushes through `PUBLIC_URL`.
 */
export type Reach = 'here' | 'out' | 'asked';
const REACHES: Reach[] = ['here', 'out', 'asked'];
/** Of several workers the first one is enough: what another one counted nothing would take back. */
const LOOKS_AROUND = (workerNumber ?? 1) === 1;
/** Beside the removal of old rows, which is at full hours. */
const HALF_PAST = '0 30 * * * *';

/** One check: looks at one thing, and says what it found. */
type Check = () => Finding | Promise<Finding>;

/** What a check is called, and the platform that it is about. */
interface NamedCheck {
  id: CheckId;
  componentAppId: string | null;
  reach: Reach;
  check: Check;
}

/** Looks at everything that can be checked. A further check is one more line in a list below. */
@Injectable()
export class DoctorService {
  private readonly logger = new Logger(DoctorService.name);
  /** Who asks while a run is under way is given that one. */
  private readonly readings = {
    out: new SharedReading(() => this.run('out')),
    asked: new SharedReading(() => this.run('asked')),
  };

  constructor(
    private readonly host: HostChecks,
    private readonly database: DatabaseChecks,
    private readonly wechat: WechatChecks,
    private readonly outside: OutsideChecks,
    private readonly platform: PlatformChecks,
    private readonly traffic: TrafficChecks,
    private readonly components: ComponentService,
    private readonly surroundings: Surroundings,
    private readonly background: Background,
    private readonly clock: Clock,
  ) {}

  /** All checks, each with a limit of its own; one that fails is a finding. */
  examine(reach: Exclude<Reach, 'here'>): Promise<DoctorView> {
    return this.readings[reach].get();
  }

  /** For `hub_doctor_check`: what calls nobody. */
  @Cron(HALF_PAST, { name: 'doctor', waitForCompletion: true })
  async lookAround(): Promise<void> {
    if (!LOOKS_AROUND) return;
    const failure = 'The hourly checks did not finish; tried again in an hour';
    await this.background.tick('doctor', failure, () => this.run('here'));
  }

  private async run(reach: Reach): Promise<DoctorView> {
    const started = performance.now();
    // What is in memory is given where the database does not answer.
    const components = await this.components.list().catch((): Component[] => []);
    const named = this.checks(components);
    const checks = await Promise.all(named.map((one) => this.examined(this.reached(one, reach))));
    // What calls somebody is looked at when a person asks: nothing would take its last figure back.
    if (LOOKS_AROUND) report(checks.filter((_, index) => named[index]?.reach === 'here'));
    return { at: isoTime(this.clock.now()), milliseconds: millisecondsSince(started), checks };
  }

  private checks(components: Component[]): NamedCheck[] {
    const general = this.general(components).map(([id, check, reach = 'here' as const]) => {
      return { id, componentAppId: null, reach, check };
    });
    const ofPlatforms = components.flatMap((component) =>
      this.ofPlatform(component).map(([id, check, reach = 'here' as const]) => {
        const { appid: componentAppId, enabled } = component;
        const disabled = (): Finding => finding('platform_disabled');
        return { id, componentAppId, reach, check: enabled ? check : disabled };
      }),
    );
    return [...general, ...ofPlatforms];
  }

  private general(components: Component[]): [CheckId, Check, Reach?][] {
    const { host, database, wechat, outside, traffic } = this;
    // Whose callback URL can be asked.
    const usable = components.find(({ enabled, problem }) => enabled && !problem);
    return [
      ['settings', () => host.settings()],
      ['files', () => host.files()],
      ['admin_token', () => host.adminToken()],
      ['database', () => database.works()],
      ['server', () => database.server()],
      ['schema', () => database.schema()],
      ['disk', () => host.disk()],
      ['replication', () => database.replication()],
      ['database_clock', () => database.clockOfDatabase()],
      ['hosts', () => database.hostsTogether()],
      ['keys', () => database.keys()],
      ['proxy', () => wechat.proxy(ANSWER_LIMIT_MS), 'out'],
      ['wechat', () => wechat.way(ANSWER_LIMIT_MS), 'out'],
      ['clock', () => wechat.clockAgainstWechat(), 'out'],
      ['public_url', () => outside.publicUrl()],
      ['outside', () => outside.way(usable, ANSWER_LIMIT_MS), 'out'],
      ['admin', () => outside.admin(ANSWER_LIMIT_MS), 'out'],
      ['platforms', () => this.platforms()],
      ['refused_pushes', () => traffic.refusedPushes()],
      ['subscriptions', () => traffic.targets()],
    ];
  }

  private ofPlatform(component: Component): [CheckId, Check, Reach?][] {
    const { wechat, outside, platform } = this;
    return [
      ['values', () => platform.values(component)],
      ['ticket', () => platform.ticket(component)],
      ['credentials', () => platform.credentials(component)],
      ['egress', () => platform.egress(component)],
      ['token', () => platform.token(component)],
      ['accounts', () => platform.accounts(component)],
      ['refreshes', () => platform.refreshes(component)],
      ['permissions', () => platform.permissions(component)],
      ['asked', () => wechat.asked(component), 'asked'],
      ['push', () => outside.push(component, ANSWER_LIMIT_MS), 'asked'],
    ];
  }

  /** Where the database is away, it is not known that there are none. */
  private async platforms(): Promise<Finding> {
    const { length: count } = await this.components.list();
    return count > 0 ? finding('platforms_ok', { count }) : finding('platforms_none');
  }

  private reached(named: NamedCheck, reach: Reach): NamedCheck {
    const isWithin = REACHES.indexOf(named.reach) <= REACHES.indexOf(reach);
    return isWithin ? named : { ...named, check: () => finding('only_asked') };
  }

  private async examined({ id, componentAppId, check }: NamedCheck): Promise<DoctorCheckView> {
    const started = performance.now();
    const found = await within(CHECK_LIMIT_MS, this.found(check), () =>
      finding('check_late', { seconds: CHECK_LIMIT_MS / 1000 }),
    );
    const { code, facts, details } = found;
    const { status, seen, remedy = null } = inWords(found);
    const lines = details.slice(0, MOST_DETAILS);
    return {
      id,
      componentAppId,
      status,
      code,
      facts,
      seen,
      remedy,
      docs: remedy === null ? null : `docs/doctor.md#${id}`,
      details: lines,
      messageRemark: toRemarkView(facts['message'] === undefined ? null : String(facts['message'])),
      detailRemarks: lines.map(toRemarkView),
      milliseconds: millisecondsSince(started),
    };
  }

  private async found(check: Check): Promise<Finding> {
    try {
      return await check();
    } catch (error) {
      // What is wrong with the database is said once.
      const isAway = error instanceof HubError && error.code === 'database_unavailable';
      if (isAway || this.surroundings.database !== undefined) return finding('no_database');
      if (!(error instanceof HubError)) this.logger.error('A check of the doctor failed', error);
      return finding('check_failed', { message: problemOf(error) });
    }
  }
}

/** Tells who counts how many places of each check are how well. */
function report(checks: DoctorCheckView[]): void {
  const counts = [...new Set(checks.map(({ id }) => id))].flatMap((check) =>
    CHECK_STATUSES.map((status) => ({
      check,
      status,
      count: checks.filter((one) => one.id === check && one.status === status).length,
    })),
  );
  emitTelemetry('doctor.run', { counts });
}
