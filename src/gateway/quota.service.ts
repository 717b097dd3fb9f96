import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { withFreshToken } from '../token-engine/with-fresh-token.js';
import { WechatApiClient } from '../wechat-api/wechat-api.client.js';
import { GatewayService, type GatewayOwner } from './gateway.service.js';

const numbers = z.looseObject({});
const quotaAnswer = z.object({
  quota: numbers.optional(),
  rate_limit: numbers.optional(),
  component_rate_limit: numbers.optional(),
});
const acknowledgement = z.object({});

/** What WeChat allows of a path, in WeChat's own fields. */
export type Quota = Pick<
  z.output<typeof quotaAnswer>,
  'quota' | 'rate_limit' | 'component_rate_limit'
>;

/** How many calls WeChat still takes today, and having them back. */
@Injectable()
export class QuotaService {
  constructor(
    private readonly client: WechatApiClient,
    private readonly gateway: GatewayService,
  ) {}

  /** @param path with or without a slash in front. @throws {HubError} */
  async get(owner: GatewayOwner, path: string): Promise<Quota> {
    const answer = await withFreshToken(this.gateway.tokensOf(owner), (token) =>
      this.client.post(
        '/cgi-bin/openapi/quota/get',
        { cgi_path: `/${path.replace(/^\//, '')}` },
        quotaAnswer,
        { access_token: token },
      ),
    );
    const { quota, rate_limit, component_rate_limit } = answer;
    return { quota, rate_limit, component_rate_limit };
  }

  /** WeChat counts from nothing again; it allows that ten times a month. @throws {HubError} */
  async clear(owner: GatewayOwner): Promise<void> {
    const { componentAppId = '', authorizerAppId } = owner;
    await withFreshToken(this.gateway.tokensOf(owner), (token) =>
      authorizerAppId === undefined
        ? this.client.post(
            '/cgi-bin/component/clear_quota',
            { component_appid: componentAppId },
            acknowledgement,
            { component_access_token: token },
          )
        : this.client.post('/cgi-bin/clear_quota', { appid: authorizerAppId }, acknowledgement, {
            access_token: token,
          }),
    );
    this.gateway.forgetPauses(owner);
  }
}
