import { Body, Controller, Get, HttpCode, Ip, Param, Post, Query, Res } from '@nestjs/common';
import {
  ApiBody,
  ApiConsumes,
  ApiOperation,
  ApiProduces,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Scope } from '../auth/scope.js';
import { ApiComponentAppId } from '../component/component-app-id.js';
import { authorizationUrl } from './authorization-url.js';
import { ApiPushRefusals, ApiUrlCheck } from './callback-docs.js';
import { CallbackService } from './callback.service.js';

/**
 * The URL that WeChat pushes to: 授权事件接收URL of the platform's console. Pushes that come as WeChat
 * sends them are the `PushListener`'s.
 */
@ApiTags('callback')
@Controller('callback/:componentAppId/events')
export class CallbackController {
  constructor(private readonly callback: CallbackService) {}

  @Post()
  @Scope('none')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Receive a push (授权事件接收URL)',
    description:
      'Query: timestamp, nonce, msg_signature and encrypt_type=aes. The body is read whatever ' +
      'its content type says. Answered `success` when the push is in the database.',
  })
  @ApiConsumes('text/xml')
  @ApiBody({
    schema: {
      type: 'string',
      example: '<xml><AppId><![CDATA[wx…]]></AppId><Encrypt><![CDATA[…]]></Encrypt></xml>',
    },
  })
  @ApiProduces('text/plain')
  @ApiResponse({
    status: 200,
    description: 'Exactly `success`',
    schema: { type: 'string', example: 'success' },
  })
  @ApiComponentAppId()
  @ApiPushRefusals()
  receive(
    @Param('componentAppId') componentAppId: string,
    @Query() query: Record<string, unknown>,
    @Body() body: Buffer | undefined,
    @Ip() sourceAddress: string | undefined,
    @Res({ passthrough: true }) { elapsedTime: elapsedMs }: FastifyReply,
  ): Promise<string> {
    const request = { componentAppId, query, body, sourceAddress, elapsedMs };
    return this.callback.receive(request, authorizationUrl);
  }

  @Get()
  @Scope('none')
  @ApiUrlCheck()
  checkUrl(
    @Param('componentAppId') componentAppId: string,
    @Query() query: Record<string, unknown>,
  ): Promise<string> {
    return this.callback.checkUrl(componentAppId, query);
  }
}
