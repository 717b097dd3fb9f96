import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { v4 as uuidv4 } from 'uuid';
import { runWithRequestId } from '../common/request-context.js';
import { emitTelemetry } from '../common/telemetry.js';
import type { Caller } from './caller.js';
import { answerHeaders } from './raw-answer.js';

/** A request that the framework has not seen. */
export interface DirectExchange {
  request: IncomingMessage;
  response: ServerResponse;
  framework: RequestListener;
  /** When it arrived, by `performance.now()`. */
  arrived: number;
  /** The pattern of its route, by which it is counted. */
  route: string;
  /** Who asks, once that is known. */
  caller?: Caller;
}

/** What a request is answered with, by 200. */
export interface DirectAnswer {
  contentType: string;
  text: string;
}

/** A request that was worked on before the framework, and is refused. */
interface Refused {
  /** Under which the log has it. */
  id: string;
  error: unknown;
  elapsedMs: number;
  caller: Caller | undefined;
}

const refused = new WeakMap<IncomingMessage, Refused>();

/** What a request is refused with by {@link answerDirectly}; undefined for all others. */
export function refusedBefore(request: IncomingMessage): Refused | undefined {
  return refused.get(request);
}

/**
 * Answers a request before the framework. One that is refused goes the framework's way all the same,
 * with its error and under its id: errors are answered, counted and logged there alone.
 */
export async function answerDirectly(
  exchange: DirectExchange,
  work: () => Promise<DirectAnswer>,
): Promise<void> {
  const { request, response, arrived } = exchange;
  const id = uuidv4();
  let answer: DirectAnswer;
  try {
    answer = await runWithRequestId(id, work);
  } catch (error) {
    const elapsedMs = performance.now() - arrived;
    refused.set(request, { id, error, elapsedMs, caller: exchange.caller });
    exchange.framework(request, response);
    return;
  }
  const { contentType, text } = answer;
  const headers = {
    ...answerHeaders(id),
    'content-type': contentType,
    'content-length': Buffer.byteLength(text),
  };
  response.writeHead(200, headers).end(text);
  // Nobody gets the answer: who asked has gone, or was answered for what came behind the request.
  if (response.destroyed) return;
  const { method = '' } = request;
  const seconds = (performance.now() - arrived) / 1000;
  emitTelemetry('http.request', { method, route: exchange.route, status: 200, seconds });
}
