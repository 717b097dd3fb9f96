import { Injectable } from '@nestjs/common';
import { Secret } from '../common/secret.js';
import type { Component } from '../component/component.js';
import { ComponentService } from '../component/component.service.js';
import { TicketPushService } from '../ticket/ticket-push.service.js';
import { TicketService } from '../ticket/ticket.service.js';
import { WechatApiClient } from '../wechat-api/wechat-api.client.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import type { FailureKind } from '../wechat-api/wechat-errcode.js';
import type { Exchange, TokenSource } from './token.engine.js';
import type { FreshToken } from './token.store.js';

/**
 * Gets a component_access_token for a ticket. Where WeChat refuses the ticket, the earlier ones
 * that are within 12 hours are tried and then a push is asked for; where it refuses the
 * AppSecret, the one before a recent change is tried.
 */
@Injectable()
export class ComponentTokenSource implements TokenSource {
  readonly kind = 'component_access_token';

  constructor(
    private readonly components: ComponentService,
    private readonly tickets: TicketService,
    private readonly pushes: TicketPushService,
    private readonly wechat: WechatApiClient,
  ) {}

  async prepare(componentAppId: string): Promise<Exchange> {
    const component = await this.components.getEnabled(componentAppId);
    const ticket = await this.tickets.usable(componentAppId);
    const earlier = (): Promise<Secret[]> => this.tickets.earlierThan(ticket);
    return (stillMine) => this.exchange(component, [ticket.ticket], earlier, stillMine);
  }

  private async exchange(
    component: Component,
    tickets: Secret[],
    earlier: () => Promise<Secret[]>,
    stillMine: () => Promise<void>,
  ): Promise<FreshToken> {
    try {
      return await firstAccepted(
        { candidates: tickets, more: earlier, refusal: 'ticket', stillMine },
        (ticket) => this.withEitherSecret(component, ticket, stillMine),
      );
    } catch (error) {
      if (isRefusal(error, 'ticket')) await this.pushes.startPushIfAllowed(component);
      throw error;
    }
  }

  private withEitherSecret(
    { appid, appSecret }: Component,
    ticket: Secret,
    stillMine: () => Promise<void>,
  ): Promise<FreshToken> {
    const more = async (): Promise<Secret[]> => (appSecret.previous ? [appSecret.previous] : []);
    return firstAccepted(
      { candidates: [appSecret.current], more, refusal: 'secret', stillMine },
      (secret) => this.wechat.componentToken(appid, secret, ticket),
    );
  }
}

interface Candidates {
  candidates: Secret[];
  /** Further ones, looked up only when the first are refused. */
  more: () => Promise<Secret[]>;
  refusal: FailureKind;
  stillMine: () => Promise<void>;
}

/** Tries candidates while WeChat refuses them for what they are; the first refusal is thrown. */
async function firstAccepted<T>(
  { candidates, more, refusal, stillMine }: Candidates,
  attempt: (candidate: Secret) => Promise<T>,
): Promise<T> {
  let first: unknown;
  const queue = [...candidates];
  for (let tried = 0; tried < queue.length; tried += 1) {
    if (tried > 0) await stillMine();
    try {
      return await attempt(queue[tried] as Secret);
    } catch (error) {
      if (!isRefusal(error, refusal)) throw error;
      first ??= error;
      if (tried === 0) queue.push(...(await more()));
    }
  }
  throw first;
}

function isRefusal(error: unknown, kind: FailureKind): boolean {
  return error instanceof WechatApiError && error.kind === kind;
}
