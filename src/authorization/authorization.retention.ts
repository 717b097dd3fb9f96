import { Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { In, LessThan } from 'typeorm';
import { TrustedTime } from '../common/trusted-time.js';
import { Database } from '../database/database.js';
import { AuthorizationCode } from './authorization-code.entity.js';
import { AuthorizationRequest } from './authorization-request.entity.js';

const DAY_MS = 24 * 3_600_000;
/** A link works for half an hour, a code for an hour; what they led to stands elsewhere. */
const REQUEST_DAYS = 2;
const CODE_DAYS = 7;
/** Rows that one statement removes. */
const BATCH = 500;

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
    try {
      while ((await this.removeRequests()) === BATCH);
      while ((await this.removeCodes()) === BATCH);
    } catch (error) {
      this.logger.warn('Old links and codes could not be removed; tried again in an hour', error);
    }
  }

  private async removeRequests(): Promise<number> {
    const where = { createdAt: LessThan(this.time.now() - REQUEST_DAYS * DAY_MS) };
    const old = await this.database.read((manager) =>
      manager.find(AuthorizationRequest, { where, select: { id: true }, take: BATCH }),
    );
    const ids = old.map(({ id }) => id);
    if (ids.length === 0) return 0;
    await this.database.write((manager) => manager.delete(AuthorizationRequest, { id: In(ids) }));
    return ids.length;
  }

  private async removeCodes(): Promise<number> {
    const before = this.time.now() - CODE_DAYS * DAY_MS;
    const where = { state: In(['pending', 'done', 'failed']), nextAttemptAt: LessThan(before) };
    const old = await this.database.read((manager) =>
      manager.find(AuthorizationCode, { where, select: { codeHash: true }, take: BATCH }),
    );
    const hashes = old.map(({ codeHash }) => codeHash);
    if (hashes.length === 0) return 0;
    const which = { codeHash: In(hashes) };
    await this.database.write((manager) => manager.delete(AuthorizationCode, which));
    return hashes.length;
  }
}
