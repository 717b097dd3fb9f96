import { Injectable } from '@nestjs/common';
import { sha256Hex, type Secret } from '../common/secret.js';
import type { Component } from '../component/component.js';
import { ComponentService } from '../component/component.service.js';
import type { Ticket } from '../ticket/ticket.js';
import { TicketPushService } from '../ticket/ticket-push.service.js';
import { TicketService } from '../ticket/ticket.service.js';
import { firstAccepted, isRefusal } from '../wechat-api/first-accepted.js';
import { WechatApiClient } from '../wechat-api/wechat-api.client.js';
import { SECRET_REFUSALS } from '../wechat-api/wechat-errcode.js';
import type { Exchange, Inputs, TokenSource } from '../token-engine/token-source.js';
import type { TokenState } from '../token-engine/token-state.js';
import type { FreshToken } from '../token-engine/token.store.js';

/** Characters of a ticket's hash that name it. */
const TICKET_NAME_LENGTH = 16;

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

  /** The newest ticket is tried first; alone where those before it were refused a moment ago. */
  async prepare(componentAppId: string, state: TokenState, lifted: boolean): Promise<Exchange> {
    const component = await this.components.getEnabled(componentAppId);
    const ticket = await this.tickets.usable(componentAppId);
    const alone = lifted && state.lastError?.kind === 'ticket';
    const earlier = async (): Promise<Secret[]> => (alone ? [] : this.tickets.earlierThan(ticket));
    return {
      inputs: inputsOf(component, ticket),
      run: (stillMine) => this.exchange(component, [ticket.ticket, earlier], stillMine),
    };
  }

  async inputs(componentAppId: string): Promise<Inputs> {
    const component = await this.components.getEnabled(componentAppId);
    return inputsOf(component, await this.tickets.latest(componentAppId));
  }

  /** A refused ticket is cured by a new one. */
  async afterFailure(componentAppId: string, error: unknown): Promise<void> {
    if (!isRefusal(error, ['ticket'])) return;
    await this.pushes.startPushIfAllowed(await this.components.getEnabled(componentAppId));
  }

  private exchange(
    component: Component,
    [first, more]: [Secret, () => Promise<Secret[]>],
    stillMine: () => Promise<void>,
  ): Promise<FreshToken> {
    return firstAccepted(
      {
        first,
        more,
        refusals: ['ticket'],
        beforeNext: stillMine,
      },
      (candidate) => this.withEitherSecret(component, candidate, stillMine),
    );
  }

  private withEitherSecret(
    { appid, appSecret }: Component,
    ticket: Secret,
    stillMine: () => Promise<void>,
  ): Promise<FreshToken> {
    return firstAccepted(
      {
        first: appSecret.current,
        more: async () => appSecret.previous,
        refusals: SECRET_REFUSALS,
        beforeNext: stillMine,
      },
      async (secret) => {
        const fresh = await this.wechat.componentToken(appid, secret, ticket);
        this.components.noteUse(appid, { appSecret: secret });
        return fresh;
      },
    );
  }
}

/** A failure that blames one of these is over when it changes. */
function inputsOf({ appSecret }: Component, ticket: Ticket | undefined): Inputs {
  const secret = String(appSecret.changedAt);
  const name = ticket ? sha256Hex(ticket.ticket.reveal()).slice(0, TICKET_NAME_LENGTH) : 'none';
  return { ticket: name, secret, token: secret };
}
