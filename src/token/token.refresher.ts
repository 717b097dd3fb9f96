import { Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { TokenService } from './token.service.js';

/** The timer: only asks the service to refresh what is due. */
@Injectable()
export class TokenRefresher {
  private readonly logger = new Logger(TokenRefresher.name);

  constructor(private readonly tokens: TokenService) {}

  @Cron(CronExpression.EVERY_5_SECONDS, { name: 'token-refresh', waitForCompletion: true })
  async tick(): Promise<void> {
    try {
      await this.tokens.refreshDue();
    } catch (error) {
      this.logger.warn('Due tokens could not be refreshed; tried again in seconds', error);
    }
  }
}
