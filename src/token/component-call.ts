import { Injectable } from '@nestjs/common';
import type { Secret } from '../common/secret.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import { TokenService } from './token.service.js';

/** Makes calls with the component_access_token of a third-party platform. */
@Injectable()
export class ComponentCall {
  constructor(private readonly tokens: TokenService) {}

  /**
   * Runs `call` with a token; if WeChat refuses the token (40001, 40014, 42001) it is replaced and
   * the call is made once more.
   * @throws {HubError}
   */
  async run<T>(componentAppId: string, call: (token: Secret) => Promise<T>): Promise<T> {
    const { token } = await this.tokens.current(componentAppId);
    try {
      return await call(token);
    } catch (error) {
      if (!(error instanceof WechatApiError) || error.kind !== 'token') throw error;
      const fresh = await this.tokens.invalidate(componentAppId, token.reveal());
      return call(fresh.token);
    }
  }
}
