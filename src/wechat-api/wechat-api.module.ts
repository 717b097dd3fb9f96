import { HttpModule } from '@nestjs/axios';
import { Module } from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { ComponentApi } from './component-api.js';
import { wechatAgents } from './wechat-agents.js';
import { WechatApiClient } from './wechat-api.client.js';

/** Longest answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** The typed client of api.weixin.qq.com over kept-alive connections, with a limit on every call. */
@Module({
  imports: [
    HttpModule.registerAsync({
      inject: [APP_CONFIG],
      useFactory: (config: AppConfig) => ({
        baseURL: config.wechatApi.baseUrl,
        timeout: config.wechatApi.timeoutMs,
        ...wechatAgents(config),
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
