import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { v4 as uuidv4 } from 'uuid';
import { runWithRequestId } from '../common/request-context.js';
import { emitTelemetry } from '../common/telemetry.js';
import type { Caller } from './caller.js';
import { answerHeaders } from './raw-answer.js';

/** A request before the framework has seen it. */
export interface DirectExchange {
  request: IncomingMessage;
  response: ServerResponse;
  framework: RequestListener;
  /** When it arrived, by `performance.now()`. */
  arrived: number;
  /** Its method and the pattern of its route, as they are counted. */
  method: 'GET' | 'POST';
  route: string;
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
  /** Who asks, once that is known. */
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
 * @param work finds the answer, and says who asks as soon as that is known.
 */
export async function answerDirectly(
  { request, response, framework, arrived, method, route }: DirectExchange,
  work: (isAskedBy: (caller: Caller) => void) => Promise<DirectAnswer>,
): Promise<void> {
  const id = uuidv4();
  let caller: Caller | undefined;
  let answer: DirectAnswer;
  try {
    answer = await runWithRequestId(id, () => work((one) => (caller = one)));
  } catch (error) {
    refused.set(request, { id, error, elapsedMs: performance.now() - arrived, caller });
    framework(request, response);
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
  const seconds = (performance.now() - arrived) / 1000;
  emitTelemetry('http.request', { method, route, status: 200, seconds });
}
