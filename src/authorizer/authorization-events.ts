import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { OnInfoType, type AfterCommit, type AuthorizationEvent } from '../callback/on-info-type.js';
import { textField, timeField } from '../callback/push-fields.js';
import { Secret } from '../common/secret.js';
import { AuthorizationCodeService } from './authorization-code.service.js';
import { AuthorizationCodeStore } from './authorization-code.store.js';
import type { AuthorizerId } from './authorizer.js';
import { AuthorizerTokenService } from './authorizer-token.service.js';
import { AuthorizerTransitions } from './authorizer.transitions.js';

/**
 * `authorized`, `updateauthorized` and `unauthorized` (protocol section F), and the registration
 * of a mini program, which brings a code as well.
 */
@Injectable()
export class AuthorizationEvents {
  constructor(
    private readonly codes: AuthorizationCodeStore,
    private readonly exchanges: AuthorizationCodeService,
    private readonly transitions: AuthorizerTransitions,
    private readonly tokens: AuthorizerTokenService,
  ) {}

  @OnInfoType('authorized')
  onAuthorized(event: AuthorizationEvent, manager: EntityManager): Promise<AfterCommit> {
    return this.keepCode(event, manager);
  }

  /** Sent when the permission sets changed: WeChat has voided the access token. */
  @OnInfoType('updateauthorized')
  onUpdateAuthorized(event: AuthorizationEvent, manager: EntityManager): Promise<AfterCommit> {
    return this.keepCode(event, manager);
  }

  @OnInfoType('unauthorized')
  async onUnauthorized(event: AuthorizationEvent, manager: EntityManager): Promise<AfterCommit> {
    const id = accountOf(event);
    await this.transitions.revoke(id, timeField(event.fields, 'CreateTime'), manager);
    return async () => this.tokens.forget(id);
  }

  /** A mini program was registered: it is authorized from the start. */
  @OnInfoType('notify_third_fasteregister')
  async onRegistered(event: AuthorizationEvent, manager: EntityManager): Promise<AfterCommit> {
    const { appid, auth_code: code, status, CreateTime: time } = event.fields;
    const complete = status === '0' && typeof appid === 'string' && typeof code === 'string';
    // The one that failed has neither; whatever came is on record.
    if (!complete || appid === '' || code === '') return async () => undefined;
    const eventTime = typeof time === 'string' && /^\d{1,12}$/.test(time) ? Number(time) : 0;
    const id = { componentAppId: event.componentAppId, authorizerAppId: appid };
    return this.keep(id, { code, source: event.infoType, eventTime }, manager);
  }

  private keepCode(event: AuthorizationEvent, manager: EntityManager): Promise<AfterCommit> {
    const code = textField(event.fields, 'AuthorizationCode');
    const eventTime = timeField(event.fields, 'CreateTime');
    return this.keep(accountOf(event), { code, source: event.infoType, eventTime }, manager);
  }

  private async keep(
    id: AuthorizerId,
    { code, source, eventTime }: { code: string; source: string; eventTime: number },
    manager: EntityManager,
  ): Promise<AfterCommit> {
    const arrived = { ...id, code: new Secret(code), source, eventTime };
    const { codeHash, state } = await this.codes.keep(arrived, manager);
    if (state === 'pending') return () => this.exchanges.process(codeHash);
    const exchanged = state === 'done';
    await this.transitions.confirm(id, { eventTime, exchanged }, manager);
    return async () => this.tokens.forget(id);
  }
}

function accountOf({ componentAppId, fields }: AuthorizationEvent): AuthorizerId {
  return { componentAppId, authorizerAppId: textField(fields, 'AuthorizerAppid') };
}
