import { Module } from '@nestjs/common';
import { WechatCryptoService } from './wechat-crypto.service.js';

/** WeChat's message encryption, as pure functions behind one injectable service. */
@Module({ providers: [WechatCryptoService], exports: [WechatCryptoService] })
export class WechatCryptoModule {}
