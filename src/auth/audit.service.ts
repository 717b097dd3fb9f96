import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { toHubError } from '../http/hub-error.filter.js';
import { currentRequest, type RequestContext } from '../common/request-context.js';
import { Database } from '../database/database.js';
import { AuditRecord } from './audit-record.entity.js';

/** Actions that leave a record. */
export type AuditAction =
  | 'ticket.reveal'
  | 'ticket.start_push'
  | 'token.reveal'
  | 'token.refresh'
  | 'token.invalidate'
  | 'component.add'
  | 'component.change'
  | 'component.end_previous'
  | 'component.release_check'
  | 'authorization.link'
  | 'authorization.redeem'
  | 'authorizer.export'
  | 'authorizer.refresh'
  | 'authorizer.invalidate'
  | 'authorizer.set_option'
  | 'authorizer.resync'
  | 'event.reveal'
  | 'subscription.add'
  | 'subscription.change'
  | 'subscription.delete'
  | 'subscription.rotate_secret'
  | 'subscription.test'
  | 'subscription.replay'
  | 'delivery.replay'
  | 'delivery.cancel'
  | 'delivery.reveal'
  | 'api_key.add'
  | 'api_key.change'
  | 'api_key.rotate'
  | 'api_key.revoke'
  | 'audit.export'
  | 'component.clear_quota'
  | 'authorizer.clear_quota';

/** Everything that is in a record but for how it ended. */
interface Act {
  id: string;
  actor: string;
  action: AuditAction;
  target: string;
  sourceAddress: string;
  requestId: string | null;
  /** Whether the change wrote the record in its own transaction. */
  isWritten: boolean;
}

/** Who asks for what. */
export type AuditedRequest = Pick<Act, 'actor' | 'action' | 'target' | 'sourceAddress'> & {
  /** Whether the answer shows what is secret: what can't be recorded is not shown. */
  shows: boolean;
  /** Whether it changes nothing, so that there is nothing to record of one that was refused. */
  isRead: boolean;
};

/** Length of the column. */
const TARGET_LENGTH = 191;

/** Writes the audit trail: one record of each act, with how it ended. */
@Injectable()
export class AuditService {
  private readonly logger = new Logger(AuditService.name);
  private readonly acts = new WeakMap<RequestContext, Act>();

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
    const { shows, isRead, ...facts } = request;
    const context = currentRequest();
    const requestId = context?.id ?? null;
    const act = { ...facts, id: uuidv7(), requestId, isWritten: false };
    if (context) this.acts.set(context, act);
    try {
      const result = await work();
      if (shows) await this.write(act, 'ok');
      else await this.writeIfPossible(act, 'ok');
      return result;
    } catch (error) {
      if (!isRead) await this.writeIfPossible(act, toHubError(error).code);
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

  /** Records the act under way together with the change that it is: both, or neither. */
  async within(manager: EntityManager): Promise<void> {
    const act = this.current();
    if (!act) return;
    await manager.insert(AuditRecord, this.recordOf(act, 'ok'));
    act.isWritten = true;
  }

  private current(): Act | undefined {
    const context = currentRequest();
    return context && this.acts.get(context);
  }

  private async write(act: Act, outcome: string): Promise<void> {
    const record = this.recordOf(act, outcome);
    if (!act.isWritten) await this.database.write((manager) => manager.insert(AuditRecord, record));
    else if (outcome !== 'ok') await this.writeUnlessThere(record);
    const { actor, action, target, sourceAddress } = record;
    this.logger.log('Audited action', { actor, action, target, outcome, sourceAddress });
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

  private recordOf(act: Act, outcome: string): AuditRecord {
    const { id, actor, action, requestId, sourceAddress } = act;
    const target = act.target.slice(0, TARGET_LENGTH);
    return { id, at: this.clock.now(), actor, action, target, outcome, requestId, sourceAddress };
  }
}
