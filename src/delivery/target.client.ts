import {
  Agent as HttpAgent,
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { TargetAnswer } from './responder-answers.js';
import { TargetRefusedError } from './target-address.js';
import { TargetLookup } from './target-lookup.js';

/** Longest answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 256 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
/** How long the end of an answer is awaited that nobody reads, to keep the connection, in milliseconds. */
const DRAIN_MS = 1000;
/** Connections to one host; those that are not in use are kept a while, and fewer of them. */
const AGENT_OPTIONS = {
  keepAlive: true,
  maxSockets: 512,
  maxFreeSockets: 128,
  scheduling: 'lifo',
} as const;

/** No answer that is one: why, in words that hold nothing of what was sent or answered. */
export class TargetCallError extends Error {}

/** One POST. */
export interface TargetCall {
  url: string;
  headers: Record<string, string>;
  body: string;
  /** For name lookup, connection and answer together. */
  timeoutMs: number;
  /** Whether the answer's content matters: if not, its status is all that is waited for. */
  readBody: boolean;
  /** Ends the call. */
  signal?: AbortSignal;
}

/** An answer, whatever its status. */
export interface CalledTarget extends TargetAnswer {
  retryAfter?: string;
}

/**
 * Calls the targets of subscriptions, which are not trusted: no address that is not permitted, no
 * redirect, no proxy, no more than 256 KiB, no longer than the time that is given. Made of
 * `node:http`: what axios adds would all have to be switched off, and it hides whether a
 * connection was an old one.
 */
@Injectable()
export class TargetClient implements OnApplicationShutdown {
  private readonly agents = {
    http: new HttpAgent(AGENT_OPTIONS),
    https: new HttpsAgent(AGENT_OPTIONS),
  };

  constructor(private readonly targets: TargetLookup) {}

  /** @throws {TargetRefusedError | TargetCallError} */
  async post(call: TargetCall): Promise<CalledTarget> {
    const url = this.targets.parse(call.url);
    const until = performance.now() + call.timeoutMs;
    const agent = url.protocol === 'https:' ? this.agents.https : this.agents.http;
    try {
      return await this.exchange(url, call, agent, until);
    } catch (error) {
      if (!(error instanceof StaleConnectionError)) throw error;
      return await this.exchange(url, call, false, until);
    }
  }

  onApplicationShutdown(): void {
    this.agents.http.destroy();
    this.agents.https.destroy();
  }

  /** @param agent false for a connection of its own. */
  private exchange(
    url: URL,
    call: TargetCall,
    agent: HttpAgent | HttpsAgent | false,
    until: number,
  ): Promise<CalledTarget> {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const outgoing = send(url, {
      method: 'POST',
      agent,
      lookup: this.targets.lookup,
      maxHeaderSize: MAX_HEADER_BYTES,
      headers: {
        'user-agent': 'component-hub',
        'accept-encoding': 'identity',
        ...call.headers,
        'content-length': Buffer.byteLength(call.body),
      },
    });
    return limited(outgoing, call, until - performance.now(), () => answerTo(outgoing, call));
  }
}

/** The target had closed a kept connection before this call reached it. */
class StaleConnectionError extends TargetCallError {}

/** Ends the exchange with an error when its time is over, or when its caller wants no more. */
async function limited(
  outgoing: ClientRequest,
  call: TargetCall,
  ms: number,
  work: () => Promise<CalledTarget>,
): Promise<CalledTarget> {
  let end: (reason: string) => void = () => undefined;
  const ended = new Promise<never>((_, reject) => {
    end = (reason) => reject(new TargetCallError(reason));
  });
  const timer = setTimeout(() => end(`No answer within ${call.timeoutMs} ms`), Math.max(ms, 0));
  const abort = (): void => end('The call was ended');
  call.signal?.addEventListener('abort', abort);
  try {
    const answer = work();
    outgoing.end(call.body);
    if (call.signal?.aborted) abort();
    return await Promise.race([answer, ended]);
  } catch (error) {
    outgoing.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    call.signal?.removeEventListener('abort', abort);
  }
}

function answerTo(outgoing: ClientRequest, call: TargetCall): Promise<CalledTarget> {
  return new Promise((resolve, reject) => {
    outgoing.on('error', (error) => reject(callError(error, outgoing)));
    outgoing.on('response', (response) => {
      readAnswer(response, call.readBody).then(resolve, (error: Error) => reject(error));
    });
  });
}

async function readAnswer(response: IncomingMessage, readBody: boolean): Promise<CalledTarget> {
  const { statusCode: status = 0, headers } = response;
  const facts = {
    status,
    contentType: headers['content-type'] ?? '',
    ...(headers['retry-after'] === undefined ? {} : { retryAfter: headers['retry-after'] }),
  };
  if (!readBody) {
    void drain(response);
    return { ...facts, body: '' };
  }
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) break;
      chunks.push(chunk);
    }
  } catch {
    throw new TargetCallError('The answer ended before it was complete');
  }
  if (size > MAX_ANSWER_BYTES) throw new TargetCallError('The answer is larger than 256 KiB');
  return { ...facts, body: Buffer.concat(chunks).toString('utf8') };
}

/** Reads the rest so that the connection can be used again, unless that takes too long. */
async function drain(response: IncomingMessage): Promise<void> {
  const timer = setTimeout(() => response.destroy(), DRAIN_MS);
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) response.destroy();
  });
  response.on('error', () => undefined);
  response.on('close', () => clearTimeout(timer));
}

function callError(error: Error, outgoing: ClientRequest): Error {
  if (error instanceof TargetRefusedError) return error;
  const code = String((error as NodeJS.ErrnoException).code ?? 'unknown');
  const stale = outgoing.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
  if (stale) return new StaleConnectionError('The connection was closed');
  return new TargetCallError(
    code.startsWith('HPE_')
      ? `The answer is not HTTP, or its headers are too large: ${code}`
      : `The connection failed: ${code}`,
  );
}
