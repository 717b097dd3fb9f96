import { Injectable, Logger } from '@nestjs/common';
import type { Push } from '../callback/push.js';
import type { EntityManager } from 'typeorm';
import { forEachPush, OnInfoType, type AfterCommit } from '../callback/push-handlers.js';
import { Secret } from '../common/secret.js';
import { unixSeconds } from '../common/times.js';
import { AuthorizationCodeService } from './authorization-code.service.js';
import { AuthorizationCodeStore } from './authorization-code.store.js';
import type { AuthorizerId, CodeSource } from '../authorizer/authorizer.js';
import { AuthorizerTokenService } from '../authorizer/authorizer-token.service.js';
import { confirmed, withdrawn } from '../authorizer/authorizer-transitions.js';
import { AuthorizerStore } from '../authorizer/authorizer.store.js';

/** Length of the columns for appids. */
const APPID_LENGTH = 64;

/**
 * `authorized`, `updateauthorized` and `unauthorized`, and the registration
 * of a mini program, which brings a code as well.
 */
@Injectable()
export class AuthorizationEvents {
  private readonly logger = new Logger(AuthorizationEvents.name);

  constructor(
    private readonly codes: AuthorizationCodeStore,
    private readonly exchanges: AuthorizationCodeService,
    private readonly accounts: AuthorizerStore,
    private readonly tokens: AuthorizerTokenService,
  ) {}

  @OnInfoType('authorized')
  onAuthorized(events: Push[], manager: EntityManager): Promise<AfterCommit> {
    return forEachPush(events, (event) => this.keepCode(event, manager));
  }

  /** Sent when the permission sets changed: WeChat has voided the access token. */
  @OnInfoType('updateauthorized')
  onUpdateAuthorized(events: Push[], manager: EntityManager): Promise<AfterCommit> {
    return forEachPush(events, (event) => this.keepCode(event, manager));
  }

  @OnInfoType('unauthorized')
  onUnauthorized(events: Push[], manager: EntityManager): Promise<AfterCommit> {
    return forEachPush(events, (event) => this.revoke(event, manager));
  }

  private async revoke(event: Push, manager: EntityManager): Promise<AfterCommit> {
    const id = accountOf(event, 'AuthorizerAppid');
    if (!id) return this.unreadable(event);
    const eventTime = eventTimeOf(event);
    await this.accounts.change(id, (account) => withdrawn(account, eventTime), manager);
    return async () => this.tokens.forget(id);
  }

  /** A mini program was registered: it is authorized from the start. */
  @OnInfoType('notify_third_fasteregister')
  onRegistered(events: Push[], manager: EntityManager): Promise<AfterCommit> {
    return forEachPush(events, (event) => this.keepRegistered(event, manager));
  }

  private async keepRegistered(event: Push, manager: EntityManager): Promise<AfterCommit> {
    const id = accountOf(event, 'appid');
    const code = fieldOf(event, 'auth_code');
    // One that failed has no code; what came is recorded.
    if (!id || !code || fieldOf(event, 'status') !== '0') return async () => undefined;
    return this.keep(id, code, event, manager);
  }

  private async keepCode(event: Push, manager: EntityManager): Promise<AfterCommit> {
    const id = accountOf(event, 'AuthorizerAppid');
    const code = fieldOf(event, 'AuthorizationCode');
    return id && code ? this.keep(id, code, event, manager) : this.unreadable(event);
  }

  /** Refused, it would be pushed again and again, and be no better; recorded, it can be looked at. */
  private unreadable({ id, infoType }: Push): AfterCommit {
    return async () =>
      this.logger.warn('An authorization event lacks a field that it needs', { id, infoType });
  }

  private async keep(
    id: AuthorizerId,
    code: string,
    event: Push,
    manager: EntityManager,
  ): Promise<AfterCommit> {
    const eventTime = eventTimeOf(event);
    const source = event.infoType as CodeSource;
    const arrived = { ...id, code: new Secret(code), source, eventTime };
    const { codeHash, state } = await this.codes.keep(arrived, manager);
    if (state === 'pending') return () => this.exchanges.process(codeHash);
    const fact = { eventTime, exchanged: state === 'done' };
    await this.accounts.change(id, (account, now) => confirmed(account, fact, now), manager);
    return async () => this.tokens.forget(id);
  }
}

/** A text of the event that can be kept; undefined for none. */
function fieldOf({ fields }: Push, name: string): string | undefined {
  const value = fields[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function accountOf(event: Push, field: string): AuthorizerId | undefined {
  const authorizerAppId = fieldOf(event, field);
  if (!authorizerAppId || authorizerAppId.length > APPID_LENGTH) return undefined;
  return { componentAppId: event.componentAppId, authorizerAppId };
}

/** CreateTime in Unix seconds; of an event without a readable one, when it arrived. */
function eventTimeOf(event: Push): number {
  return unixSeconds(event.fields.CreateTime) ?? Math.floor(event.receivedAt / 1000);
}
