import { Body, Controller, Get, HttpCode, Ip, Param, Post, Query, Res } from '@nestjs/common';
import {
  ApiBody,
  ApiConsumes,
  ApiExtension,
  ApiOperation,
  ApiParam,
  ApiProduces,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Scope } from '../auth/scope.js';
import { ApiPushRefusals, ApiUrlCheck } from '../callback/callback-docs.js';
import { contentTypeOf } from '../callback/push-listener.js';
import { ApiComponentAppId } from '../component/component-app-id.js';
import { MessageService } from './message.service.js';
import { passiveReplyDocs } from '../reply/passive-reply.js';

/**
 * The URL for messages and events of the accounts: 消息与事件接收URL, written with `$APPID$`. Pushes that
 * come as WeChat sends them are the `PushListener`'s.
 */
@ApiTags('callback')
@Controller('callback/:componentAppId/messages/:authorizerAppId')
export class MessageController {
  constructor(private readonly messages: MessageService) {}

  @Post()
  @Scope('none')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Receive a message or event of an account (消息与事件接收URL)',
    description:
      'Query: timestamp, nonce, msg_signature and encrypt_type=aes. The body is read whatever ' +
      'its content type says: XML, or the JSON that shops send. Answered within 5 s, when the ' +
      "push is in the database: with the encrypted reply of the account's responder, in the " +
      "push's own format, or `success`. A push that comes again is answered as the first time, " +
      'and not delivered again. ' +
      'What a responder may answer is `x-passive-reply`.',
  })
  @ApiExtension('x-passive-reply', passiveReplyDocs)
  @ApiConsumes('text/xml', 'application/json')
  @ApiBody({
    schema: {
      type: 'string',
      example:
        '<xml><ToUserName><![CDATA[gh_…]]></ToUserName><Encrypt><![CDATA[…]]></Encrypt></xml>',
    },
  })
  @ApiProduces('text/plain', 'text/xml', 'application/json')
  @ApiResponse({
    status: 200,
    description: '`success`, nothing, or an encrypted reply in the format of the push',
    schema: { type: 'string', example: 'success' },
  })
  @ApiComponentAppId()
  @ApiAuthorizerAppId()
  @ApiPushRefusals()
  async receive(
    @Param('componentAppId') componentAppId: string,
    @Param('authorizerAppId') authorizerAppId: string,
    @Query() query: Record<string, unknown>,
    @Body() body: Buffer | undefined,
    @Ip() sourceAddress: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const { elapsedTime: elapsedMs } = reply;
    const request = { componentAppId, query, body, sourceAddress, elapsedMs };
    const answer = await this.messages.receive(request, authorizerAppId);
    void reply.header('content-type', `${contentTypeOf(answer)}; charset=utf-8`);
    return answer;
  }

  @Get()
  @Scope('none')
  @ApiUrlCheck()
  @ApiAuthorizerAppId()
  checkUrl(
    @Param('componentAppId') componentAppId: string,
    @Query() query: Record<string, unknown>,
  ): Promise<string> {
    return this.messages.checkUrl(componentAppId, query);
  }
}

function ApiAuthorizerAppId(): MethodDecorator {
  return ApiParam({
    name: 'authorizerAppId',
    description: 'AppID of the account; `$APPID$` in the WeChat console',
    example: 'wxfedcba9876543210',
  });
}
