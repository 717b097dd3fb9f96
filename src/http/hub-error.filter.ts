import {
  Catch,
  HttpException,
  Logger,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendErrorPage, wantsPage } from './error-page.js';
import { errorBody, HubError } from '../common/hub-error.js';
import type { LogBrake } from '../common/log-brake.js';
import { currentRequestId } from '../common/request-context.js';
import { senderOf } from '../common/source-address.js';
import type { KnownRequest } from './caller.js';

/**
 * Takes notice of a refusal. Where an operator should see it at `info` it answers what belongs
 * into its line beside what all have; undefined for all others.
 */
export type RefusalObserver = (error: HubError, request: FastifyRequest) => object | undefined;

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

  constructor(
    private readonly brake: LogBrake,
    private readonly observe: RefusalObserver,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.refuse(thrown, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  /** Answers and logs what a request is refused with. */
  refuse(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const error = this.note(thrown, request);
    if (!reply.sent) sendHubError(error, currentRequestId() ?? request.id, reply);
  }

  /** Logs what a request is refused with; for those who answer in another form. */
  note(thrown: unknown, request: FastifyRequest): HubError {
    const error = toHubError(thrown);
    this.log(error, request, thrown);
    return error;
  }

  private log(error: HubError, request: KnownRequest, thrown: unknown): void {
    const { code, status } = error;
    const more = this.observe(error, request);
    const level = more && error.level === 'debug' ? 'log' : error.level;
    const { method } = request;
    const fields = { code, status, method, route: routeOf(request), ...more, ...error.details };
    const unknown = code === 'internal_error';
    const message = unknown
      ? 'Request failed for a reason that the hub does not know'
      : `Request refused: ${error.message}`;
    if (!request.caller) {
      const line = { level, message, fields, error: unknown ? thrown : undefined };
      this.brake.log(`${more ? 'push' : 'request'} ${code}`, senderOf(request.ip), line);
    } else if (unknown) this.logger.error(message, thrown, fields);
    else this.logger[level](message, fields);
  }
}

/** The pattern of the controller; undefined where there is none. */
function routeOf(request: FastifyRequest): string | undefined {
  return request.is404 ? undefined : request.routeOptions?.url;
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
