import { Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { Background } from '../common/background.js';
import { TokenService } from './token.service.js';

/** The timer: only asks the service to refresh what is due. */
@Injectable()
export class TokenRefresher {
  constructor(
    private readonly tokens: TokenService,
    private readonly background: Background,
  ) {}

  @Cron(CronExpression.EVERY_5_SECONDS, { name: 'token-refresh', waitForCompletion: true })
  tick(): Promise<void> {
    const failure = 'Due tokens could not be refreshed; tried again in seconds';
    return this.background.tick('token-refresh', failure, () => this.tokens.refreshDue());
  }
}
