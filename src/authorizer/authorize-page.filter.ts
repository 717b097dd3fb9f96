import { Catch, Injectable, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HubError } from '../common/hub-error.js';
import { LogBrake } from '../common/log-brake.js';
import { currentRequestId } from '../common/request-context.js';
import { senderOf } from '../common/source-address.js';
import { TooManyAuthorizationsError } from './authorization-limit.js';
import { preferredLanguage, refusedPage, sendPage } from './authorize-page.js';

/** Answers the hub's errors with a page: it is a customer who reads them. */
@Catch(HubError)
@Injectable()
export class AuthorizePageFilter implements ExceptionFilter {
  constructor(private readonly brake: LogBrake) {}

  catch(error: HubError, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const { code, status, level, details } = error;
    const route = request.routeOptions.url;
    this.brake.log(`page ${code}`, senderOf(request.ip), {
      level,
      message: `Page refused: ${error.message}`,
      fields: { code, status, route, ...details },
    });
    if (error instanceof TooManyAuthorizationsError) {
      void reply.header('retry-after', String(error.retryAfterSeconds));
    }
    const language = preferredLanguage(request.headers['accept-language']);
    const id = currentRequestId() ?? request.id;
    sendPage(reply, status, refusedPage(language, status, code, id));
  }
}
