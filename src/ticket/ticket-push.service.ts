import { Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { emitTelemetry } from '../common/telemetry.js';
import type { Component } from '../component/component.js';
import { ComponentService } from '../component/component.service.js';
import { firstAccepted } from '../wechat-api/first-accepted.js';
import { WechatApiClient } from '../wechat-api/wechat-api.client.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import { SECRET_REFUSALS } from '../wechat-api/wechat-errcode.js';
import { TICKET_OVERDUE_MS, TICKET_STALE_MS, ticketAgeMs } from './ticket.js';
import { TicketService } from './ticket.service.js';
import { isoTime } from '../common/times.js';

/** The hub asks for a push of its own accord at most this often, over all hosts. */
const START_PUSH_INTERVAL_MS = 30 * 60_000;
/** On demand it asks at most this often, over all hosts. */
const ON_DEMAND_INTERVAL_MS = 60_000;

/** Watches that tickets keep coming, and asks WeChat for them (api_start_push_ticket). */
@Injectable()
export class TicketPushService {
  private readonly logger = new Logger(TicketPushService.name);
  private readonly warned = new Set<string>();

  constructor(
    private readonly tickets: TicketService,
    private readonly components: ComponentService,
    private readonly wechat: WechatApiClient,
    private readonly clock: Clock,
  ) {}

  @Cron(CronExpression.EVERY_MINUTE, { name: 'ticket-watch', waitForCompletion: true })
  async watch(): Promise<void> {
    try {
      const components = await this.components.enabled();
      await Promise.all(components.map((component) => this.checkQuietly(component)));
    } catch (error) {
      this.logger.warn('Tickets could not be checked; tried again in a minute', error);
    }
  }

  /**
   * Asks WeChat to push tickets now.
   * @returns WeChat's errmsg: `ok` when pushing had stopped, `in a normal state` when it had not.
   * @throws {ComponentUnknownError | ComponentDisabledError | WechatApiError}
   * @throws {HubError} 429 `start_push_too_soon`
   */
  async startPush(componentAppId: string): Promise<string> {
    const component = await this.components.getEnabled(componentAppId);
    // Counts as this half hour's request too, so that the watch does not ask again.
    const claim = await this.components.claimStartPush(componentAppId, ON_DEMAND_INTERVAL_MS);
    if (!claim.granted) throw tooSoon(componentAppId, claim.nextAt);
    return this.request(component);
  }

  /** Asks of the hub's own accord: once per half hour, whichever host comes first. */
  async startPushIfAllowed(component: Component): Promise<void> {
    const claim = await this.components.claimStartPush(component.appid, START_PUSH_INTERVAL_MS);
    if (!claim.granted) return;
    try {
      const answer = await this.request(component);
      this.logger.log('Asked WeChat to push tickets', { componentAppId: component.appid, answer });
    } catch (error) {
      this.logger.warn('WeChat did not take the request to push tickets', error);
    }
  }

  /** What is wrong with one platform keeps no other from being checked. */
  private async checkQuietly(component: Component): Promise<void> {
    try {
      await this.check(component);
    } catch (error) {
      const componentAppId = component.appid;
      this.logger.warn('The ticket could not be checked', error, { componentAppId });
    }
  }

  private async check(component: Component): Promise<void> {
    const ticket = await this.tickets.latest(component.appid);
    const age = ticketAgeMs(ticket, this.clock.now());
    this.warnOnce(component.appid, age);
    if (age > TICKET_OVERDUE_MS) await this.startPushIfAllowed(component);
  }

  private warnOnce(componentAppId: string, age: number): void {
    if (age <= TICKET_STALE_MS) {
      if (this.warned.delete(componentAppId)) {
        this.logger.log('Tickets arrive again', { componentAppId });
      }
      return;
    }
    if (this.warned.has(componentAppId)) return;
    this.warned.add(componentAppId);
    if (!Number.isFinite(age)) this.logger.log('No ticket has arrived yet', { componentAppId });
    else {
      const ageSeconds = Math.round(age / 1000);
      this.logger.warn('No ticket has arrived for a long time', { componentAppId, ageSeconds });
    }
  }

  private async request({ appid, appSecret }: Component): Promise<string> {
    let outcome = 'ok';
    try {
      return await firstAccepted(
        {
          first: appSecret.current,
          more: async () => appSecret.previous,
          refusals: SECRET_REFUSALS,
        },
        async (secret) => {
          const answer = await this.wechat.startPushTicket(appid, secret);
          this.components.noteUse(appid, { appSecret: secret });
          return answer;
        },
      );
    } catch (error) {
      outcome = error instanceof WechatApiError ? String(error.errcode ?? error.kind) : 'failed';
      throw error;
    } finally {
      emitTelemetry('ticket.start_push', { componentAppId: appid, outcome });
    }
  }
}

function tooSoon(componentAppId: string, nextAt: number): HubError {
  const nextAttemptAt = isoTime(nextAt);
  return new HubError(
    'start_push_too_soon',
    'A push of tickets was asked for less than a minute ago; WeChat pushes one every 10 minutes',
    { status: 429, details: { componentAppId, nextAttemptAt } },
  );
}
