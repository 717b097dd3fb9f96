import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { Stopping } from '../common/stopping.js';
import { SharedReading } from '../common/shared-reading.js';
import { within } from '../common/time-limit.js';
import { ComponentService } from '../component/component.service.js';
import { Database } from '../database/database.js';
import { isTicketStale, isTicketUsable, type Ticket } from '../ticket/ticket.js';
import { TicketService } from '../ticket/ticket.service.js';
import { tokenCondition } from '../token-engine/refresh-decision.js';
import { TokenService } from '../token/token.service.js';
import type { HealthStatus, ReadyView } from './health.views.js';
import { isoTime } from '../common/times.js';

/** A database that takes longer than this to answer counts as down, in milliseconds. */
const DATABASE_LIMIT_MS = 2000;

/** Whether this process can do its work: for load balancers and people. */
@Injectable()
export class HealthService {
  constructor(
    private readonly database: Database,
    private readonly components: ComponentService,
    private readonly tickets: TicketService,
    private readonly tokens: TokenService,
    private readonly clock: Clock,
    private readonly stopping: Stopping,
  ) {}

  private readonly reading = new SharedReading(() => this.work());

  /**
   * Database, and ticket and token of each platform. Only a missing database, and a stop that is
   * announced, make the whole `down`: a hub without ticket or token must still be reached, or no ticket could arrive.
   */
  async ready(): Promise<ReadyView> {
    const view = await this.reading.get();
    return this.stopping.announced ? { ...view, status: 'down', stopping: true } : view;
  }

  private async work(): Promise<ReadyView> {
    const database = await this.databaseStatus();
    const components = database === 'up' ? await this.componentStatuses() : [];
    const allUp = components.every(({ ticket, token }) => ticket === 'up' && token === 'up');
    const status = database === 'down' ? 'down' : allUp ? 'up' : 'degraded';
    return { status, database, lastFailedWrite: this.lastFailedWrite(), components };
  }

  private lastFailedWrite(): ReadyView['lastFailedWrite'] {
    const last = this.database.lastFailedWrite;
    return last ? { ...last, at: isoTime(last.at) } : null;
  }

  private async databaseStatus(): Promise<HealthStatus> {
    const checked = this.database.check().then(
      (): HealthStatus => 'up',
      (): HealthStatus => 'down',
    );
    return within<HealthStatus>(DATABASE_LIMIT_MS, checked, () => 'down');
  }

  private async componentStatuses(): Promise<ReadyView['components']> {
    const tickets = new Map((await this.tickets.all()).map((ticket) => [ticket.appId, ticket]));
    const enabled = (await this.components.list()).filter((component) => component.enabled);
    return Promise.all(
      enabled.map(async ({ appid, problem }) => ({
        componentAppId: appid,
        // Of a platform whose secrets cannot be read nothing can be used.
        ticket: problem ? 'down' : this.ticketStatus(tickets.get(appid)),
        token: problem ? 'down' : await this.tokenStatus(appid),
      })),
    );
  }

  private ticketStatus(ticket: Ticket | undefined): HealthStatus {
    const now = this.clock.now();
    if (!isTicketUsable(ticket, now)) return 'down';
    return isTicketStale(ticket, now) ? 'degraded' : 'up';
  }

  /** What keeps one platform's token from being looked at is that platform's failure. */
  private async tokenStatus(appid: string): Promise<HealthStatus> {
    const state = await this.tokens.inspect(appid).catch(() => undefined);
    if (!state) return 'down';
    const condition = tokenCondition(state, this.clock.now());
    if (condition === 'ok') return 'up';
    return condition === 'none' ? 'down' : 'degraded';
  }
}
