import { Injectable } from '@nestjs/common';
import type { AuthorizerId } from '../authorizer/authorizer.js';
import { AuthorizerTokenService } from '../authorizer/authorizer-token.service.js';
import type { Secret } from '../common/secret.js';
import { CustomerMessageApi } from '../wechat-api/customer-message-api.js';
import { isRefusal } from '../wechat-api/first-accepted.js';

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
  async sendText(
    { componentAppId, authorizerAppId }: AuthorizerId,
    toUser: string,
    content: string,
  ): Promise<void> {
    const { token } = await this.tokens.current(authorizerAppId, componentAppId);
    const send = (usable: Secret): Promise<void> => this.api.sendText(usable, toUser, content);
    try {
      await send(token);
    } catch (error) {
      if (!isRefusal(error, ['token'])) throw error;
      const refused = token.reveal();
      const fresh = await this.tokens.invalidate(authorizerAppId, refused, componentAppId);
      await send(fresh.token);
    }
  }
}
