import type { Socket } from 'node:net';
import { STATUS_CODES, type ServerResponse } from 'node:http';
import { v4 as uuidv4 } from 'uuid';
import { HubError } from '../common/hub-error.js';
import type { LogBrake } from '../common/log-brake.js';
import { closingAnswer } from './raw-answer.js';
import { runWithRequestId } from '../common/request-context.js';
import { senderOf } from '../common/source-address.js';

/**
 * Answers what is not an HTTP request, or none that Node reads: it ends before there is a request
 * for hooks and filters, so the answer is written to the connection, which then closes.
 * @param last answer to the connection's last request: what goes wrong with the rest of a request
 * that is being answered, or was, gets no second answer.
 */
export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  last: ServerResponse | undefined,
  brake: LogBrake,
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const answered = last?.headersSent && !(last.writableFinished && last.req.complete);
  if (!answered) refuseConnection(refusalOf(error.code), socket, brake);
  socket.destroy(error);
}

/** Answers CONNECT, which Node would leave without a word. */
export function refuseTunnel(socket: Socket, brake: LogBrake): void {
  refuseConnection(
    new HubError('method_not_allowed', 'The hub is no proxy', { status: 405 }),
    socket,
    brake,
  );
  socket.destroySoon();
}

function refuseConnection(refusal: HubError, socket: Socket, brake: LogBrake): void {
  const id = uuidv4();
  const { code, level, message } = refusal;
  runWithRequestId(id, () =>
    brake.log(`connection ${code}`, senderOf(socket.remoteAddress), {
      level,
      message: `Request refused: ${message}`,
      fields: { code },
    }),
  );
  if (socket.writable) socket.write(answerOf(refusal, id));
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
  const { headers, body } = closingAnswer(error, id);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const status = `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`;
  return [status, ...lines, '', body].join('\r\n');
}
