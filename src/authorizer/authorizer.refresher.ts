import { Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import type { Component } from '../component/component.js';
import { ComponentService } from '../component/component.service.js';
import { TicketMissingError } from '../ticket/ticket.js';
import { TokenService } from '../token/token.service.js';
import { AuthorizerInfoService } from './authorizer-info.service.js';
import { AuthorizerPauses } from './authorizer-pauses.js';
import { AuthorizerTokenService } from './authorizer-token.service.js';

/** The timers of the authorizers; two, so that none of the work waits for the other. */
@Injectable()
export class AuthorizerRefresher {
  private readonly logger = new Logger(AuthorizerRefresher.name);

  constructor(
    private readonly tokens: AuthorizerTokenService,
    private readonly infos: AuthorizerInfoService,
    private readonly pauses: AuthorizerPauses,
    private readonly components: ComponentService,
    private readonly componentTokens: TokenService,
  ) {}

  /** Fetches the information that is due. */
  @Cron(CronExpression.EVERY_5_SECONDS, { name: 'authorizer-infos', waitForCompletion: true })
  async fetchInfos(): Promise<void> {
    await this.quietly(() => this.infos.fetchDue());
  }

  /** Refreshes the tokens that are due, each platform for itself. */
  @Cron(CronExpression.EVERY_5_SECONDS, { name: 'authorizer-refresh', waitForCompletion: true })
  async refreshTokens(): Promise<void> {
    await this.quietly(async () => {
      const components = await this.components.enabled();
      await Promise.all(
        components.map((component) => this.refreshOf(component, components.length)),
      );
    });
  }

  private async refreshOf({ appid }: Component, platforms: number): Promise<void> {
    await this.quietly(async () => {
      if (this.pauses.until(appid) !== undefined) return;
      // Without the platform's own token each of its accounts would fail, and be put off.
      await this.componentTokens.current(appid);
      const mayGoOn = (): boolean => this.pauses.until(appid) === undefined;
      await this.tokens.refreshDue(appid, platforms, mayGoOn);
    });
  }

  private async quietly(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Before the first ticket nothing can be done, and the watch over tickets says so.
      const level = error instanceof TicketMissingError ? 'debug' : 'warn';
      this.logger[level]('Due authorizers could not be worked on; tried again in seconds', error);
    }
  }
}
