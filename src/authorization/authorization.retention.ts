import { Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { In, LessThan } from 'typeorm';
import { Background } from '../common/background.js';
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
  constructor(
    private readonly database: Database,
    private readonly time: TrustedTime,
    private readonly background: Background,
  ) {}

  @Cron(CronExpression.EVERY_HOUR, { name: 'authorization-retention', waitForCompletion: true })
  sweep(): Promise<void> {
    const failure = 'Old links and codes could not be removed; tried again in an hour';
    return this.background.tick('authorization-retention', failure, async () => {
      const before = (days: number) => LessThan(this.time.now() - days * DAY_MS);
      await removeInBatches(this.database, AuthorizationRequest, 'id', {
        where: { createdAt: before(REQUEST_DAYS) },
      });
      await removeInBatches(this.database, AuthorizationCode, 'codeHash', {
        where: { state: In(['pending', 'done', 'failed']), nextAttemptAt: before(CODE_DAYS) },
      });
    });
  }
}
