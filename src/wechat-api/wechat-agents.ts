import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Logger } from '@nestjs/common';
import { ProxyAgent, proxyFor } from '../common/proxy-agent.js';
import type { AppConfig } from '../config/app-config.js';

/** The proxy's share of the time for a call: the end of it still says whose fault it was. */
const PROXY_SHARE = 0.8;

export interface WechatAgents {
  httpAgent: HttpAgent;
  httpsAgent: HttpAgent;
}

/**
 * What keeps connections to WeChat, which go by way of a proxy where one is set.
 * @param timeout after so many milliseconds without a byte a connection is given up.
 */
export function wechatAgents({ wechatApi, proxies }: AppConfig, timeout?: number): WechatAgents {
  const options = { keepAlive: true, ...(timeout === undefined ? {} : { timeout }) };
  const proxy = proxyFor(new URL(wechatApi.baseUrl), proxies);
  if (!proxy) {
    return {
      httpAgent: new HttpAgent(options),
      httpsAgent: new HttpsAgent(options),
    };
  }
  const connectMs = Math.floor(wechatApi.timeoutMs * PROXY_SHARE);
  const agent = new ProxyAgent(proxy, connectMs, options);
  new Logger('WechatApi').log('WeChat is called through a proxy', { proxy: agent.proxyName });
  return { httpAgent: agent, httpsAgent: agent };
}
