import { Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { Background } from '../common/background.js';
import { ComponentService } from '../component/component.service.js';
import { TicketMissingError } from '../ticket/ticket.js';
import { TokenService } from '../token/token.service.js';
import { AuthorizerInfoService } from './authorizer-info.service.js';
import { AuthorizerPauses } from './authorizer-pauses.js';
import { AuthorizerTokenService } from './authorizer-token.service.js';

/** The timers of the accounts; two, so that none of the work waits for the other. */
@Injectable()
export class AuthorizerRefresher {
  constructor(
    private readonly tokens: AuthorizerTokenService,
    private readonly infos: AuthorizerInfoService,
    private readonly pauses: AuthorizerPauses,
    private readonly components: ComponentService,
    private readonly componentTokens: TokenService,
    private readonly background: Background,
  ) {}

  /** Fetches the information that is due. */
  @Cron(CronExpression.EVERY_5_SECONDS, { name: 'authorizer-infos', waitForCompletion: true })
  fetchInfos(): Promise<void> {
    return this.tick('authorizer-infos', () => this.infos.fetchDue());
  }

  /** Refreshes the tokens that are due, each platform for itself. */
  @Cron(CronExpression.EVERY_5_SECONDS, { name: 'authorizer-refresh', waitForCompletion: true })
  refreshTokens(): Promise<void> {
    return this.tick('authorizer-refresh', async () => {
      const components = await this.components.enabled();
      await Promise.all(
        components.map(({ appid }) =>
          this.tick(`authorizer-refresh ${appid}`, () => this.refreshOf(appid, components.length)),
        ),
      );
    });
  }

  private async refreshOf(appid: string, platforms: number): Promise<void> {
    if (this.pauses.until(appid) !== undefined) return;
    // Without the platform's own token each of its accounts would fail, and be put off.
    await this.componentTokens.current(appid);
    const mayGoOn = (): boolean => this.pauses.until(appid) === undefined;
    await this.tokens.refreshDue(appid, platforms, mayGoOn);
  }

  private tick(name: string, work: () => Promise<unknown>): Promise<void> {
    const failure = 'Due accounts could not be worked on; tried again in seconds';
    // Before the first ticket nothing can be done, and the watch over tickets says so.
    return this.background.tick(
      name,
      failure,
      work,
      (error) => error instanceof TicketMissingError,
    );
  }
}
