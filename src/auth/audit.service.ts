import { Injectable, Logger } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Clock } from '../common/clock.js';
import { currentRequestId } from '../common/request-context.js';
import { Database } from '../database/database.js';
import { AuditRecord } from './audit-record.entity.js';

/** Actions that leave a record. */
export type AuditAction =
  | 'ticket.reveal'
  | 'token.reveal'
  | 'component.add'
  | 'component.change'
  | 'component.end_previous'
  | 'component.release_check'
  | 'event.reveal'
  | 'subscription.add'
  | 'subscription.change'
  | 'subscription.delete'
  | 'subscription.rotate_secret'
  | 'subscription.test'
  | 'subscription.replay'
  | 'delivery.replay';

/** Writes the audit trail. */
@Injectable()
export class AuditService {
  private readonly logger = new Logger(AuditService.name);

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Records an action before it takes effect: what can't be recorded is not done. */
  async record(action: AuditAction, target: string, sourceAddress: string): Promise<void> {
    const record = {
      id: uuidv7(),
      at: this.clock.now(),
      action,
      target,
      requestId: currentRequestId() ?? null,
      sourceAddress,
    };
    await this.database.transaction((manager) => manager.insert(AuditRecord, record));
    this.logger.log('Audited action', { action, target, sourceAddress });
  }
}
