import { Inject, Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { Clock } from '../common/clock.js';
import { onTelemetry } from '../common/telemetry.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { AuthorizationCodeService } from './authorization-code.service.js';
import { AuthorizerInfoService } from './authorizer-info.service.js';
import { AuthorizerTokenService } from './authorizer-token.service.js';
import { Authorizer } from './authorizer.entity.js';

const DAY_MS = 24 * 3_600_000;
/** How long all refreshing rests after WeChat said that it is too much, or not from this address. */
const PAUSE_MS: Record<string, number> = { rate: 60_000, quota: 15 * 60_000, ip: 60_000 };

/** The timers of the authorizers: codes to be exchanged, information to be fetched, tokens to be refreshed. */
@Injectable()
export class AuthorizerRefresher {
  private readonly logger = new Logger(AuthorizerRefresher.name);
  private pausedUntil = -Infinity;

  constructor(
    private readonly tokens: AuthorizerTokenService,
    private readonly codes: AuthorizationCodeService,
    private readonly infos: AuthorizerInfoService,
    private readonly database: Database,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {
    onTelemetry('token.exchange', ({ kind, outcome }) => this.notice(kind, outcome));
  }

  @Cron(CronExpression.EVERY_5_SECONDS, { name: 'authorizer-refresh', waitForCompletion: true })
  async tick(): Promise<void> {
    try {
      await this.codes.processDue();
      await this.infos.fetchDue();
      if (this.paused) return;
      await this.letColdOnesBe();
      await this.tokens.refreshDue(() => !this.paused);
    } catch (error) {
      this.logger.warn('Due authorizers could not be worked on; tried again in seconds', error);
    }
  }

  private get paused(): boolean {
    return this.clock.now() < this.pausedUntil;
  }

  private notice(kind: string, outcome: string): void {
    const pause = PAUSE_MS[outcome];
    if (kind !== 'authorizer_access_token' || pause === undefined) return;
    this.pausedUntil = Math.max(this.pausedUntil, this.clock.now() + pause);
  }

  /**
   * Accounts that no service has used for long leave the index of due rows; a read brings them
   * back, since it finds their token expired.
   */
  private async letColdOnesBe(): Promise<void> {
    const now = this.clock.now();
    await this.database.transaction((manager) =>
      manager
        .createQueryBuilder()
        .update(Authorizer)
        .set({ refreshAt: null })
        .where('refresh_at <= :now', { now })
        .andWhere('used_at < :before', { before: now - this.config.authorizerWarmDays * DAY_MS })
        .execute(),
    );
  }
}
