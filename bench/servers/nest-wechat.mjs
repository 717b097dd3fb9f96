/**
 * Peer: nest-wechat's receiver, as its own controllers use it: `ComponentService.pushTicket` with
 * Express' request and response. The ticket goes to its default cache, a Map in memory.
 */
import 'reflect-metadata';
import { Controller, HttpCode, Inject, Module, Post, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import nestWechat from 'nest-wechat';
import { COMPONENT } from '../lib/settings.mjs';

const { ComponentService, WeChatComponentModule } = nestWechat;

class TicketController {
  constructor(service) {
    this.service = service;
  }

  async pushTicket(request, response) {
    await this.service.pushTicket(request, response);
  }
}

// Decorators, applied by hand because this is plain JavaScript.
Inject(ComponentService)(TicketController, undefined, 0);
Req()(TicketController.prototype, 'pushTicket', 0);
Res()(TicketController.prototype, 'pushTicket', 1);
const descriptor = Object.getOwnPropertyDescriptor(TicketController.prototype, 'pushTicket');
Post()(TicketController.prototype, 'pushTicket', descriptor);
HttpCode(200)(TicketController.prototype, 'pushTicket', descriptor);
Controller(`callback/${COMPONENT.appid}/events`)(TicketController);

// oxlint-disable-next-line typescript/no-extraneous-class -- what a Nest module is
class AppModule {}
Module({
  imports: [
    WeChatComponentModule.register({
      componentAppId: COMPONENT.appid,
      componentSecret: COMPONENT.appsecret,
      componentToken: COMPONENT.token,
      componentEncodingAESKey: COMPONENT.encodingAesKey,
    }),
  ],
  controllers: [TicketController],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
await app.listen(Number(process.env.PORT), '127.0.0.1');
