import { Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { In, LessThan } from 'typeorm';
import { TrustedTime } from '../common/trusted-time.js';
import { Database } from '../database/database.js';
import { removeInBatches } from '../database/remove-in-batches.js';
import { AuthorizationCode } from './authorization-code.entity.js';
import { AuthorizationRequest } from './authorization-request.entity.js';
import { DAY_MS } from '../common/times.js';

/** A link works for half an hour, a code for an hour; what they led to is kept elsewhere. */
const REQUEST_DAYS = 2;
const CODE_DAYS = 7;

/** Removes links and codes when they are of no more use: anybody may ask for a link. */
@Injectable()
export class AuthorizationRetention {
  private readonly logger = new Logger(AuthorizationRetention.name);

  constructor(
    private readonly database: Database,
    private readonly time: TrustedTime,
  ) {}

  @Cron(CronExpression.EVERY_HOUR, { name: 'authorization-retention', waitForCompletion: true })
  async sweep(): Promise<void> {
    const before = (days: number) => LessThan(this.time.now() - days * DAY_MS);
    try {
      await removeInBatches(this.database, AuthorizationRequest, 'id', {
        where: { createdAt: before(REQUEST_DAYS) },
      });
      await removeInBatches(this.database, AuthorizationCode, 'codeHash', {
        where: { state: In(['pending', 'done', 'failed']), nextAttemptAt: before(CODE_DAYS) },
      });
    } catch (error) {
      this.logger.warn('Old links and codes could not be removed; tried again in an hour', error);
    }
  }
}
