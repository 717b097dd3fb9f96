import { Injectable } from '@nestjs/common';
import type { AuthorizerId } from '../authorizer/authorizer.js';
import { AuthorizerTokenService } from '../authorizer/authorizer-token.service.js';
import { withFreshToken } from '../token-engine/with-fresh-token.js';
import { CustomerMessageApi } from '../wechat-api/customer-message-api.js';

/** Sends customer-service messages for accounts, with the token that each has at the moment. */
@Injectable()
export class CustomerMessages {
  constructor(
    private readonly tokens: AuthorizerTokenService,
    private readonly api: CustomerMessageApi,
  ) {}

  /**
   * Sends a text; where WeChat refuses the token (40001, 40014, 42001), once more with a new one.
   * @param toUser the user's openid.
   * @throws {HubError}
   */
  sendText(
    { componentAppId, authorizerAppId }: AuthorizerId,
    toUser: string,
    content: string,
  ): Promise<void> {
    const { tokens } = this;
    return withFreshToken(
      {
        current: () => tokens.current(authorizerAppId, componentAppId),
        replace: (refused) => tokens.invalidate(authorizerAppId, refused, componentAppId),
      },
      (token) => this.api.sendText(token, toUser, content),
    );
  }
}
