import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { HttpModule } from '@nestjs/axios';
import { Logger, Module } from '@nestjs/common';
import { ProxyAgent, proxyFor } from '../common/proxy-agent.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { ComponentApi } from './component-api.js';
import { WechatApiClient } from './wechat-api.client.js';

/** Longest answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** The proxy's share of the time for a call: the end of it still says whose fault it was. */
const PROXY_SHARE = 0.8;

/** What keeps connections to WeChat, which go by way of a proxy where one is set. */
function agentsFor({ wechatApi, proxies }: AppConfig): AxiosAgents {
  const proxy = proxyFor(new URL(wechatApi.baseUrl), proxies);
  if (!proxy) {
    return {
      httpAgent: new HttpAgent({ keepAlive: true }),
      httpsAgent: new HttpsAgent({ keepAlive: true }),
    };
  }
  const connectMs = Math.floor(wechatApi.timeoutMs * PROXY_SHARE);
  const agent = new ProxyAgent(proxy, connectMs, { keepAlive: true });
  new Logger('WechatApi').log('WeChat is called through a proxy', { proxy: agent.proxyName });
  return { httpAgent: agent, httpsAgent: agent };
}

interface AxiosAgents {
  httpAgent: HttpAgent;
  httpsAgent: HttpAgent;
}

/** The typed client of api.weixin.qq.com over kept-alive connections, with a limit on every call. */
@Module({
  imports: [
    HttpModule.registerAsync({
      inject: [APP_CONFIG],
      useFactory: (config: AppConfig) => ({
        baseURL: config.wechatApi.baseUrl,
        timeout: config.wechatApi.timeoutMs,
        ...agentsFor(config),
        headers: { 'content-type': 'application/json' },
        responseType: 'text',
        transformResponse: (data: unknown) => data,
        validateStatus: () => true,
        maxRedirects: 0,
        maxContentLength: MAX_ANSWER_BYTES,
        proxy: false,
      }),
    }),
  ],
  providers: [WechatApiClient, ComponentApi],
  exports: [WechatApiClient, ComponentApi],
})
export class WechatApiModule {}
