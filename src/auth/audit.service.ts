import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { WorkUnderWay } from '../common/background.js';
import { Brake, OTHER_SENDERS } from '../common/brake.js';
import { Clock } from '../common/clock.js';
import { senderOf } from '../common/source-address.js';
import { MINUTE_MS } from '../common/times.js';
import type { Caller } from '../http/caller.js';
import { toHubError } from '../http/hub-error.filter.js';
import { currentRequest, type RequestContext } from '../common/request-context.js';
import { Database } from '../database/database.js';
import { AuditRecord } from './audit-record.entity.js';

/** Actions that leave a record. */
export const AUDIT_ACTIONS = [
  'ticket.reveal',
  'ticket.start_push',
  'token.reveal',
  'token.refresh',
  'token.invalidate',
  'component.add',
  'component.change',
  'component.end_previous',
  'component.release_check',
  'doctor.ask',
  'authorization.link',
  'authorization.redeem',
  'authorizer.export',
  'authorizer.refresh',
  'authorizer.invalidate',
  'authorizer.fetch_info',
  'authorizer.set_option',
  'authorizer.resync',
  'event.reveal',
  'event.replay',
  'subscription.add',
  'subscription.change',
  'subscription.delete',
  'subscription.rotate_secret',
  'subscription.test',
  'subscription.replay',
  'delivery.replay',
  'delivery.cancel',
  'delivery.reveal',
  'api_key.add',
  'api_key.change',
  'api_key.rotate',
  'api_key.revoke',
  'audit.export',
  'session.open',
  'session.close',
  'session.end',
  'session.confirm',
  'session.link',
  'session.accept_invitation',
  'session.change_password',
  'operator.add',
  'operator.change',
  'operator.invite',
  'operator.delete',
  'component.clear_quota',
  'authorizer.clear_quota',
  'database.restore',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** Everything that is in a record but for how it ended. */
interface Act {
  id: string;
  caller: Caller;
  action: AuditAction;
  target: string;
  sourceAddress: string;
  requestId: string | null;
  /** Whether the change wrote the record in its own transaction. */
  isWritten: boolean;
}

/** Who asks for what. */
export type AuditedRequest = Pick<Act, 'caller' | 'action' | 'target' | 'sourceAddress'> & {
  /** Whether the answer shows what is secret: what can't be recorded is not shown. */
  shows: boolean;
  /** Whether it changes nothing, so that there is nothing to record of one that was refused. */
  isRead: boolean;
  /** Whether anybody may try: what is refused is counted, see {@link Brake}. */
  isOpen: boolean;
};

/** What was refused to whom. */
interface RefusedAct {
  caller: Caller;
  action: string;
  target: string;
  /** Code of the error. */
  outcome: string;
  sourceAddress: string;
  requestId: string | null;
}

/** Refusals that are counted apart within a minute, for all callers together. */
const REFUSALS = { perKind: 200, all: 200 };
/** Length of the column. */
const TARGET_LENGTH = 191;

/** Writes the audit trail: one record of each act, with how it ended. */
@Injectable()
export class AuditService implements BeforeApplicationShutdown {
  private readonly logger = new Logger(AuditService.name);
  private readonly acts = new WeakMap<RequestContext, Act>();
  private readonly brake = new Brake<RefusedAct>(REFUSALS, (act, more) =>
    this.recordRefused(act, more || 1),
  );
  private readonly recording = new WorkUnderWay();

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /**
   * Does what a request asks for, and records it: in the transaction of the change where that calls
   * {@link within}, otherwise before the answer.
   * @throws what `work` throws; what keeps the record from being written, where `shows`.
   */
  async during<T>(request: AuditedRequest, work: () => Promise<T>): Promise<T> {
    const { shows, isRead, isOpen, ...facts } = request;
    const context = currentRequest();
    const requestId = context?.id ?? null;
    const act: Act = { ...facts, id: uuidv7(), requestId, isWritten: false };
    if (context) this.acts.set(context, act);
    try {
      const result = await work();
      if (shows) await this.write(act, 'ok');
      else await this.writeIfPossible(act, 'ok');
      return result;
    } catch (error) {
      const { code: outcome, status } = toHubError(error);
      // Nobody has tried to get in by what is malformed.
      if (isOpen && status !== 400) this.refused({ ...act, outcome });
      else if (!isOpen && !isRead) await this.writeIfPossible(act, outcome);
      throw error;
    } finally {
      if (context) this.acts.delete(context);
    }
  }

  /** Names what the act under way is about, where the address does not. */
  about(target: string): void {
    const act = this.current();
    if (act) act.target = target;
  }

  /** Says who does the act under way, where that shows only in doing it. */
  by(caller: Caller): void {
    const act = this.current();
    if (act) act.caller = caller;
  }

  /** Records a refusal, or counts it; in the background, so that no answer waits for it. */
  refused(act: Omit<RefusedAct, 'requestId'>): void {
    const { caller, action, target, outcome, sourceAddress } = act;
    const refused = { ...act, requestId: currentRequest()?.id ?? null };
    const who = [senderOf(sourceAddress), caller.actor, target].join(' ');
    this.brake.note(`${action} ${outcome}`, who, refused, ofOthers(refused));
  }

  /** Records the refusals that were counted since the last time. */
  @Interval('audit-refusals', MINUTE_MS)
  async flush(): Promise<void> {
    this.brake.flush();
    await this.recording.idle();
  }

  /** While there is a database. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.flush();
  }

  /** Records the act under way together with the change that it is: both, or neither. */
  async within(manager: EntityManager): Promise<void> {
    const act = this.current();
    if (!act) return;
    await manager.insert(AuditRecord, this.recordOf(act, 'ok'));
    act.isWritten = true;
  }

  /** Records what the hub itself does, in the transaction of that. */
  async ofHub(act: { action: AuditAction; target: string }, manager: EntityManager): Promise<void> {
    const caller = { actor: 'system', kind: 'system', name: null } as const;
    const facts = { ...act, caller, id: uuidv7(), sourceAddress: '', requestId: null };
    await manager.insert(AuditRecord, this.recordOf(facts, 'ok'));
  }

  private current(): Act | undefined {
    const context = currentRequest();
    return context && this.acts.get(context);
  }

  private async write(act: Act, outcome: string): Promise<void> {
    const record = this.recordOf(act, outcome);
    if (!act.isWritten) await this.database.write((manager) => manager.insert(AuditRecord, record));
    else if (outcome !== 'ok') await this.writeUnlessThere(record);
    const { actor, actorName, action, target, sourceAddress } = record;
    const fields = { actor, actorName, action, target, outcome, sourceAddress };
    this.logger.log('Audited action', fields);
  }

  /** The act is done, or was refused: that it can't be recorded is no reason to hide how it went. */
  private async writeIfPossible(act: Act, outcome: string): Promise<void> {
    try {
      await this.write(act, outcome);
    } catch (error) {
      const { action, target, sourceAddress } = act;
      const facts = { action, target, outcome, sourceAddress };
      this.logger.error('An act could not be recorded in the audit trail', error, facts);
    }
  }

  /** The transaction of a change may have failed, or what came after it: then the change stands. */
  private async writeUnlessThere(record: AuditRecord): Promise<void> {
    await this.database.write((manager) =>
      manager.createQueryBuilder().insert().into(AuditRecord).values(record).orIgnore().execute(),
    );
  }

  private recordRefused(act: RefusedAct, count: number): void {
    const record = { ...this.recordOf({ ...act, id: uuidv7() }, act.outcome), count };
    const written = this.database
      .write((manager) => manager.insert(AuditRecord, record))
      .catch((error: unknown) => {
        const { action, target, outcome } = record;
        const fields = { action, target, outcome, count };
        this.logger.warn('A refusal could not be recorded in the audit trail', error, fields);
      });
    this.recording.add(written);
  }

  private recordOf(
    act: Omit<RefusedAct, 'outcome'> & { id: string },
    outcome: string,
  ): AuditRecord {
    const { id, caller, action, requestId, sourceAddress } = act;
    const { actor, kind: actorKind, name: actorName } = caller;
    const target = act.target.slice(0, TARGET_LENGTH);
    const who = { actor, actorKind, actorName };
    const how = { action, target, outcome, count: 1, requestId, sourceAddress };
    return { id, at: this.clock.now(), ...who, ...how };
  }
}

/** Without what there may be any number of. */
function ofOthers(act: RefusedAct): RefusedAct {
  const caller = { ...act.caller, actor: 'unknown', name: null };
  return { ...act, caller, target: '*', sourceAddress: OTHER_SENDERS };
}
