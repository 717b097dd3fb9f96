import { Injectable } from '@nestjs/common';
import { AuthorizerStore } from '../authorizer/authorizer.store.js';
import type { AuthorizerStatus } from '../authorizer/authorizer.js';
import { Clock } from '../common/clock.js';
import { HeldCopy } from '../common/held-copy.js';
import type { HubError } from '../common/hub-error.js';
import { DAY_MS, isoTime } from '../common/times.js';
import type { Component } from '../component/component.js';
import { ComponentService } from '../component/component.service.js';
import { DeliveryLog } from '../delivery/delivery.log.js';
import { errorOf } from '../http/problem-view.js';
import type { Subscription } from '../subscription/subscription.js';
import { SubscriptionService } from '../subscription/subscription.service.js';
import type { Ticket } from '../ticket/ticket.js';
import { TicketService } from '../ticket/ticket.service.js';
import { toTicketView } from '../ticket/ticket.views.js';
import { TokenService } from '../token/token.service.js';
import { toTokenView, type TokenView } from '../token/token.views.js';
import {
  MOST_DEAD,
  MOST_PENDING,
  type OverviewView,
  type PlatformOverviewView,
} from './overview.views.js';

/**
 * Counts of a million accounts take a fifth of a second, in the background: a reader waits only for
 * those that are quick, else has the last ones. In milliseconds.
 */
const COUNTS = { refreshAfterMs: 3000, maxAgeMs: 3000, patienceMs: 20 };

/** What is counted of a platform. */
interface Counts {
  accounts: PlatformOverviewView['accounts'];
  deliveries: PlatformOverviewView['deliveries'];
}

/** All that the first page of a console shows, in one answer. */
@Injectable()
export class OverviewService {
  private readonly counts: HeldCopy<{ at: number; byPlatform: Map<string, Counts> }>;

  constructor(
    private readonly components: ComponentService,
    private readonly tickets: TicketService,
    private readonly tokens: TokenService,
    private readonly authorizers: AuthorizerStore,
    private readonly deliveries: DeliveryLog,
    private readonly subscriptions: SubscriptionService,
    private readonly clock: Clock,
  ) {
    this.counts = new HeldCopy(() => this.count(), clock, COUNTS);
  }

  async overview(): Promise<OverviewView> {
    const [components, tickets, subscriptions, { at, byPlatform }] = await Promise.all([
      this.components.list(),
      this.tickets.all(),
      this.subscriptions.list(),
      this.counts.get(),
    ]);
    const ticketOf = new Map(tickets.map((ticket) => [ticket.appId, ticket]));
    const platforms = components.map(async (component) => {
      const { appid, name, enabled } = component;
      return {
        componentAppId: appid,
        name,
        enabled,
        ...(await this.credentials(component, ticketOf.get(appid))),
        ...(byPlatform.get(appid) ?? NOTHING),
        subscriptions: subscriptionsOf(appid, subscriptions),
      };
    });
    return {
      at: isoTime(this.clock.now()),
      countedAt: isoTime(at),
      platforms: await Promise.all(platforms),
    };
  }

  /** What keeps one platform's token from being looked at is that platform's failure. */
  private async credentials(
    { appid, problem }: Component,
    ticket: Ticket | undefined,
  ): Promise<Pick<PlatformOverviewView, 'ticket' | 'token' | 'error'>> {
    const now = this.clock.now();
    const state = await this.tokens.inspect(appid).catch((error: HubError) => error);
    const failed = state instanceof Error ? state : undefined;
    return {
      ticket: ticket ? shownTicket(ticket, now) : null,
      token: state instanceof Error ? null : withoutToken(toTokenView(appid, state, now, false)),
      ...errorOf(problem ?? ticket?.ticket.problem ?? failed),
    };
  }

  private async count(): Promise<{ at: number; byPlatform: Map<string, Counts> }> {
    const at = this.clock.now();
    const appids = (await this.components.list()).map(({ appid }) => appid);
    const [accounts, lateness] = await Promise.all([
      this.authorizers.counts(),
      this.authorizers.lateness(),
    ]);
    const byPlatform = new Map<string, Counts>();
    for (const appid of appids) {
      const of = (status: AuthorizerStatus): number =>
        accounts.find((one) => one.componentAppId === appid && one.status === status)?.count ?? 0;
      const late = lateness.find(({ componentAppId }) => componentAppId === appid);
      byPlatform.set(appid, {
        accounts: {
          active: of('active'),
          revoked: of('revoked'),
          needsReauthorization: of('needs_reauthorization'),
          suspended: of('suspended'),
          lateSeconds: late?.seconds ?? 0,
        },
        deliveries: {
          pending: await this.deliveries.pendingOf(appid, MOST_PENDING),
          deadOfDay: await this.deliveries.deadSince(appid, at - DAY_MS, MOST_DEAD),
        },
      });
    }
    return { at, byPlatform };
  }
}

/** A platform that was added since the last count. */
const NOTHING: Counts = {
  accounts: { active: 0, revoked: 0, needsReauthorization: 0, suspended: 0, lateSeconds: 0 },
  deliveries: { pending: 0, deadOfDay: 0 },
};

function shownTicket(ticket: Ticket, now: number): PlatformOverviewView['ticket'] {
  const { createTime, receivedAt, ageSeconds, expiresAt, stale } = toTicketView(ticket, now, false);
  return { createTime, receivedAt, ageSeconds, expiresAt, stale };
}

function withoutToken(view: TokenView): PlatformOverviewView['token'] {
  const { componentAppId: _, componentAccessToken: __, ...shown } = view;
  return shown;
}

function subscriptionsOf(
  appid: string,
  all: Subscription[],
): PlatformOverviewView['subscriptions'] {
  const counts = { well: 0, failing: 0, disabled: 0, unreadable: 0 };
  for (const { componentAppId, enabled, failingSince, problem } of all) {
    if (componentAppId !== null && componentAppId !== appid) continue;
    if (problem) counts.unreadable += 1;
    else if (!enabled) counts.disabled += 1;
    else if (failingSince !== null) counts.failing += 1;
    else counts.well += 1;
  }
  return counts;
}
