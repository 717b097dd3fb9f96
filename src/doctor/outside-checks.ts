import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import type { Component } from '../component/component.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { isLoopback } from '../config/protection.js';
import { SelfPush } from '../release-check/self-push.js';
import { TicketService } from '../ticket/ticket.service.js';
import { ask, AskError, type Asked } from '../common/ask.js';
import { finding, type Finding } from './findings.js';
import {
  adminVerdict,
  answerProblem,
  certificateProblem,
  pushVerdict,
  wayVerdict,
} from './verdicts.js';

/** What is seen of the hub through `PUBLIC_URL`, from this machine. */
@Injectable()
export class OutsideChecks {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly pushes: SelfPush,
    private readonly tickets: TicketService,
    private readonly clock: Clock,
  ) {}

  publicUrl(): Finding {
    const { publicUrl: url } = this.config;
    if (!this.isSet) return finding('public_url_unset', { url });
    if (isLoopback(url)) return finding('public_url_local', { url });
    const isHttps = new URL(url).protocol === 'https:';
    return finding(isHttps ? 'public_url_ok' : 'public_url_http', { url });
  }

  /**
   * DNS, TLS, no redirect, and the signed GET of WeChat's console by which path, query and answer
   * are seen to pass unchanged. It leaves nothing behind.
   * @param component whose callback URL is asked; without one only the way is seen.
   */
  async way(component: Component | undefined, limitMs: number): Promise<Finding> {
    if (!this.isSet) return finding('outside_unset');
    const { publicUrl: url } = this.config;
    const check = component && this.pushes.urlCheck(component);
    return this.through(async () => {
      const asked = await ask(check?.url ?? `${url}/health/live`, { limitMs });
      const { milliseconds } = asked;
      const problem = check && answerProblem(asked, check.echostr, url);
      return (
        problem ??
        certificateProblem(asked, url, this.clock.now()) ??
        finding(check ? 'outside_ok' : 'outside_no_platform', { url, milliseconds })
      );
    });
  }

  /** That the routes of operators are not served there. */
  async admin(limitMs: number): Promise<Finding> {
    if (!this.isSet) return finding('outside_unset');
    const { publicUrl: url } = this.config;
    try {
      // No route: nobody is asked who calls, and nothing counts as a wrong token.
      return adminVerdict(await ask(`${url}/admin`, { limitMs }), url);
    } catch (error) {
      if (!(error instanceof AskError)) throw error;
      return finding('admin_unknown', { url });
    }
  }

  /** The newest ticket pushed once more, as WeChat pushes. */
  async push(component: Component, limitMs: number): Promise<Finding> {
    const ticket = await this.tickets.latest(component.appid);
    if (!ticket || ticket.ticket.problem || component.problem) return finding('push_no_ticket');
    const { url, body } = this.pushes.signedTicket(component, ticket);
    const send = (): Promise<Asked> => ask(url, { body, limitMs });
    return this.through(async () => pushVerdict(await send(), this.config.publicUrl));
  }

  private async through(look: () => Promise<Finding>): Promise<Finding> {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof AskError)) throw error;
      return wayVerdict(error, this.config.publicUrl);
    }
  }

  private get isSet(): boolean {
    return this.config.settings.some(({ name, value }) => name === 'PUBLIC_URL' && value !== null);
  }
}
