import type { Socket } from 'node:net';
import { STATUS_CODES } from 'node:http';
import { Logger } from '@nestjs/common';
import { v4 as uuidv4 } from 'uuid';
import { errorBody, HubError } from './hub-error.js';
import { runWithRequestId } from './request-context.js';

const logger = new Logger('Http');

/**
 * Answers what is not an HTTP request, or none that Node reads: it ends before there is a request
 * for hooks and filters, so the answer is written to the connection, which then closes.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const refusal = refusalOf(error.code);
  const id = uuidv4();
  runWithRequestId(id, () =>
    logger[refusal.level](`Request refused: ${refusal.message}`, { code: refusal.code }),
  );
  if (socket.writable) socket.write(answerOf(refusal, id));
  socket.destroy(error);
}

function refusalOf(code: string | undefined): HubError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new HubError('headers_too_large', 'The URL and headers are too large', { status: 431 });
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new HubError('request_timeout', 'The request did not come in time', { status: 408 });
  }
  return new HubError('bad_request', 'This is not a well-formed HTTP request', { status: 400 });
}

function answerOf(error: HubError, id: string): string {
  const body = JSON.stringify(errorBody(error, id));
  return [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${id}`,
    'X-Content-Type-Options: nosniff',
    '',
    body,
  ].join('\r\n');
}
