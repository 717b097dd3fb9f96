import { Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { AuthorizationCodeService } from './authorization-code.service.js';

/** The timer of the codes: one whose exchange failed or was interrupted is exchanged again. */
@Injectable()
export class AuthorizationCodeRefresher {
  private readonly logger = new Logger(AuthorizationCodeRefresher.name);

  constructor(private readonly codes: AuthorizationCodeService) {}

  @Cron(CronExpression.EVERY_5_SECONDS, { name: 'authorization-codes', waitForCompletion: true })
  async exchangeDue(): Promise<void> {
    try {
      await this.codes.processDue();
    } catch (error) {
      this.logger.warn('Due authorization codes could not be exchanged; tried again soon', error);
    }
  }
}
