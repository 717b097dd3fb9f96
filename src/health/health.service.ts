import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { within } from '../common/time-limit.js';
import { ComponentService } from '../component/component.service.js';
import { Database } from '../database/database.js';
import { isTicketStale, isTicketUsable, type Ticket } from '../ticket/ticket.js';
import { TicketService } from '../ticket/ticket.service.js';
import { isServable, refreshDecision } from '../token/refresh-decision.js';
import { TokenService } from '../token/token.service.js';
import type { HealthStatus, ReadyView } from './health.views.js';

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
  ) {}

  /**
   * Database, and ticket and token of each platform. Only a missing database makes the whole
   * `down`: a hub without ticket or token must still be reached, or no ticket could arrive.
   */
  async ready(): Promise<ReadyView> {
    const database = await this.databaseStatus();
    const components = database === 'up' ? await this.componentStatuses() : [];
    const allUp = components.every(({ ticket, token }) => ticket === 'up' && token === 'up');
    const status = database === 'down' ? 'down' : allUp ? 'up' : 'degraded';
    return { status, database, components };
  }

  private async databaseStatus(): Promise<HealthStatus> {
    const query = this.database
      .read((manager) => manager.query('SELECT 1'))
      .then(
        (): HealthStatus => 'up',
        (): HealthStatus => 'down',
      );
    return within<HealthStatus>(DATABASE_LIMIT_MS, query, () => 'down');
  }

  private async componentStatuses(): Promise<ReadyView['components']> {
    const tickets = new Map((await this.tickets.all()).map((ticket) => [ticket.appId, ticket]));
    const components = await this.components.enabled();
    return Promise.all(
      components.map(async ({ appid }) => ({
        componentAppId: appid,
        ticket: this.ticketStatus(tickets.get(appid)),
        token: await this.tokenStatus(appid),
      })),
    );
  }

  private ticketStatus(ticket: Ticket | undefined): HealthStatus {
    const now = this.clock.now();
    if (!isTicketUsable(ticket, now)) return 'down';
    return isTicketStale(ticket, now) ? 'degraded' : 'up';
  }

  private async tokenStatus(appid: string): Promise<HealthStatus> {
    const state = await this.tokens.inspect(appid);
    const now = this.clock.now();
    if (!isServable(state, now)) return 'down';
    const failing = refreshDecision(state, now).due && state.attempts > 0;
    return failing || state.invalidatedAt !== null ? 'degraded' : 'up';
  }
}
