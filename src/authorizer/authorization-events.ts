import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { OnInfoType, type AfterCommit, type AuthorizationEvent } from '../callback/on-info-type.js';
import { textField, timeField } from '../callback/push-fields.js';
import { Secret } from '../common/secret.js';
import { AuthorizationCodeService } from './authorization-code.service.js';
import { AuthorizationCodeStore } from './authorization-code.store.js';
import { AuthorizerTokenService } from './authorizer-token.service.js';
import { AuthorizerStore } from './authorizer.store.js';

/** `authorized`, `updateauthorized` and `unauthorized` (protocol section F). */
@Injectable()
export class AuthorizationEvents {
  constructor(
    private readonly codes: AuthorizationCodeStore,
    private readonly exchanges: AuthorizationCodeService,
    private readonly authorizers: AuthorizerStore,
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
    const id = {
      componentAppId: event.componentAppId,
      authorizerAppId: textField(event.fields, 'AuthorizerAppid'),
    };
    const eventTime = timeField(event.fields, 'CreateTime');
    const effective = await this.authorizers.revoke(id, eventTime, manager);
    await this.authorizers.note(
      id,
      { what: 'unauthorized', detail: { eventTime, effective } },
      manager,
    );
    return async () => this.tokens.forget(id);
  }

  private async keepCode(event: AuthorizationEvent, manager: EntityManager): Promise<AfterCommit> {
    const codeHash = await this.codes.keep(
      {
        componentAppId: event.componentAppId,
        code: new Secret(textField(event.fields, 'AuthorizationCode')),
        source: event.infoType,
        authorizerAppId: textField(event.fields, 'AuthorizerAppid'),
        eventTime: timeField(event.fields, 'CreateTime'),
      },
      manager,
    );
    return () => this.exchanges.process(codeHash);
  }
}
