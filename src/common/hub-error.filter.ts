import {
  Catch,
  HttpException,
  Logger,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendErrorPage, wantsPage } from './error-page.js';
import { errorBody, HubError } from './hub-error.js';
import { currentRequestId } from './request-context.js';

/** Codes of the errors that the framework raises itself, by HTTP status. */
const CODE_BY_STATUS: Record<number, string> = {
  400: 'bad_request',
  404: 'not_found',
  405: 'method_not_allowed',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
};

/** Turns whatever controllers throw into `{"error":{"code","message","id"}}`. */
@Catch()
export class HubErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Http');

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const id = currentRequestId() ?? request.id;
    const error = toHubError(thrown);
    this.log(error, request, thrown);
    if (!reply.sent) sendHubError(error, id, reply);
  }

  private log(error: HubError, request: FastifyRequest, thrown: unknown): void {
    const fields = {
      code: error.code,
      status: error.status,
      method: request.method,
      route: request.routeOptions?.url,
      ...error.details,
    };
    if (error.code === 'internal_error') {
      this.logger.error('Request failed for a reason that the hub does not know', thrown, fields);
    } else {
      this.logger[error.level](`Request refused: ${error.message}`, fields);
    }
  }
}

/** Answers an error in the form that all of the hub's errors have; people get a page. */
export function sendHubError(error: HubError, id: string, reply: FastifyReply): void {
  const { retryAfterSeconds } = error.details;
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', String(retryAfterSeconds));
  if (wantsPage(reply.request)) {
    sendErrorPage(error, id, reply);
    return;
  }
  void reply
    .status(error.status)
    .header('content-type', 'application/json; charset=utf-8')
    .send(errorBody(error, id));
}

/** What is answered for whatever was thrown. */
export function toHubError(thrown: unknown): HubError {
  if (thrown instanceof HubError) return thrown;
  const status = httpStatusOf(thrown);
  if (status !== undefined && status < 500) {
    return new HubError(CODE_BY_STATUS[status] ?? 'bad_request', messageOf(thrown), { status });
  }
  return new HubError('internal_error', 'Internal error; the id finds it in the log', {
    status: 500,
    level: 'error',
    cause: thrown,
  });
}

function httpStatusOf(thrown: unknown): number | undefined {
  if (thrown instanceof HttpException) return thrown.getStatus();
  const status = (thrown as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' && status >= 400 ? status : undefined;
}

function messageOf(thrown: unknown): string {
  if (thrown instanceof HttpException) {
    const response = thrown.getResponse();
    const message = typeof response === 'object' && 'message' in response ? response.message : '';
    if (Array.isArray(message)) return message.join('; ');
  }
  return thrown instanceof Error ? thrown.message : 'Bad request';
}
