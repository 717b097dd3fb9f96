import {
  request as httpRequest,
  type Agent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Inject, Injectable, Optional, type OnApplicationShutdown } from '@nestjs/common';
import { ProxyError } from '../common/proxy-agent.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { hostOf, TargetRefusedError } from './target-address.js';
import {
  KEPT_CONNECTIONS,
  KEPT_LIMITS,
  TargetAgents,
  type KeptConnections,
} from './target-agents.js';
import { TargetLookup } from './target-lookup.js';
import { beginningText, targetText, TargetTextError } from './target-text.js';
import { remark, type Remark } from '../common/remarks.js';

/** Longest answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 256 * 1024;
/** How much of an answer is kept for people, in bytes. */
const BEGINNING_BYTES = 2048;
const MAX_HEADER_BYTES = 16 * 1024;
/** How long the end of an answer is awaited that nobody reads, to keep the connection, in milliseconds. */
const DRAIN_MS = 1000;
/** Informational answers (1xx) that may come before the one that counts, and bytes of it all. */
const MAX_INFORMATIONAL = 10;
const MAX_BYTES_BEFORE_STATUS = 64 * 1024;

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
  /** Whether the beginning of an answer is kept that took the call (2xx), as of every other. */
  keepBeginning?: boolean;
  /** Ends the call. */
  signal?: AbortSignal;
}

/** An answer, whatever its status. */
export interface CalledTarget {
  /** HTTP status. */
  status: number;
  /** Content-Type as it came; empty without one. */
  contentType: string;
  /** Read by its charset, 256 KiB at the most; empty where it can't be. */
  body: string;
  /** Why the body can't be read; nothing of what it holds. */
  unreadable?: string;
  retryAfter?: string;
  headers: IncomingHttpHeaders;
  /**
   * The first 2 KiB, for people; undefined where they are not kept. Not part of the time limit: what
   * has not come within a second after the status is left out. Never rejects.
   */
  beginning: Promise<string> | undefined;
}

/**
 * Calls the targets of subscriptions, which are not trusted: no address that is not permitted, no
 * redirect, no proxy unless deliveries are to use one, no more than 256 KiB, no longer than the time that is given. Made of
 * `node:http`: what axios adds would all have to be switched off, and it hides whether a
 * connection was an old one.
 */
@Injectable()
export class TargetClient implements OnApplicationShutdown {
  private readonly agents: TargetAgents;

  constructor(
    private readonly targets: TargetLookup,
    @Optional() @Inject(KEPT_LIMITS) kept: KeptConnections = KEPT_CONNECTIONS,
    @Optional() @Inject(APP_CONFIG) config?: Pick<AppConfig, 'proxies'>,
  ) {
    this.agents = new TargetAgents(kept, config?.proxies);
  }

  /** @throws {TargetRefusedError | TargetCallError} */
  async post(call: TargetCall): Promise<CalledTarget> {
    const url = this.targets.parse(call.url);
    const until = performance.now() + call.timeoutMs;
    try {
      return await this.exchange(url, call, this.agents.for(url), until);
    } catch (error) {
      if (!(error instanceof StaleConnectionError)) throw error;
      return await this.exchange(url, call, this.agents.once(url), until);
    }
  }

  onApplicationShutdown(): void {
    this.agents.destroy();
  }

  /** @param agent false for a connection of its own. */
  private exchange(
    url: URL,
    call: TargetCall,
    agent: Agent | false,
    until: number,
  ): Promise<CalledTarget> {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    // Each part by itself: a fifth of a call goes into what `node:http` does with a URL (measured).
    const outgoing = send({
      method: 'POST',
      protocol: url.protocol,
      hostname: hostOf(url),
      port: url.port,
      path: url.pathname + url.search,
      agent,
      lookup: this.targets.lookup,
      maxHeaderSize: MAX_HEADER_BYTES,
      // No list, though it is cheaper: what instruments `node:http` copies them as an object.
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

/** Who is notified when a signal is given: one listener for all, a signal goes through its list. */
const enders = new WeakMap<AbortSignal, Set<() => void>>();

/** @returns what undoes it. */
function onAbort(signal: AbortSignal, end: () => void): () => void {
  const known = enders.get(signal);
  const ends = known ?? new Set();
  if (!known) {
    enders.set(signal, ends);
    signal.addEventListener('abort', () => ends.forEach((tell) => tell()), { once: true });
  }
  ends.add(end);
  return () => ends.delete(end);
}

/** Ends the exchange with an error when its time is over, or when its caller wants no more. */
async function limited(
  outgoing: ClientRequest,
  call: TargetCall,
  ms: number,
  work: () => Promise<CalledTarget>,
): Promise<CalledTarget> {
  let end: (reason: Remark) => void = () => undefined;
  const ended = new Promise<never>((_, reject) => {
    end = (reason) => reject(new TargetCallError(reason));
  });
  const timer = setTimeout(
    () => end(remark('target_silent', { ms: call.timeoutMs })),
    Math.max(ms, 0),
  );
  const abort = (): void => end(remark('call_ended'));
  const forget = call.signal && onAbort(call.signal, abort);
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
    forget?.();
  }
}

function answerTo(outgoing: ClientRequest, call: TargetCall): Promise<CalledTarget> {
  return new Promise((resolve, reject) => {
    limitBeforeStatus(outgoing);
    outgoing.on('error', (error) => reject(callError(error, outgoing)));
    const switched = (response: IncomingMessage): void => {
      response.socket.destroy();
      reject(new TargetCallError(remark('target_switched')));
    };
    outgoing.on('upgrade', switched);
    outgoing.on('response', (response) => {
      if (response.statusCode === 101) return switched(response);
      readAnswer(response, call).then(resolve, (error: Error) => reject(error));
    });
  });
}

/** Ends an exchange whose answer never comes to its status: reading it would hold up all others. */
function limitBeforeStatus(outgoing: ClientRequest): void {
  let informational = 0;
  let bytes = 0;
  let over = false;
  const refuse = (why: Remark): void => {
    over = true;
    outgoing.destroy(new TargetCallError(why));
  };
  outgoing.on('information', () => {
    informational += 1;
    if (!over && informational > MAX_INFORMATIONAL) refuse(remark('answer_informational'));
  });
  outgoing.on('socket', (socket) => {
    const count = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (!over && bytes > MAX_BYTES_BEFORE_STATUS) refuse(remark('answer_before_status'));
    };
    const stop = (): void => {
      over = true;
      socket.off('data', count);
    };
    socket.on('data', count);
    outgoing.once('response', stop).once('close', stop);
  });
}

async function readAnswer(
  response: IncomingMessage,
  { readBody, keepBeginning = false }: TargetCall,
): Promise<CalledTarget> {
  const { statusCode: status = 0, headers } = response;
  const facts = {
    status,
    contentType: headers['content-type'] ?? '',
    headers,
    ...(headers['retry-after'] === undefined ? {} : { retryAfter: headers['retry-after'] }),
  };
  const isKept = keepBeginning || status < 200 || status > 299;
  const kept = (bytes: Promise<Buffer>): Promise<string> | undefined =>
    isKept ? bytes.then((read) => beginningText(read, facts.contentType)) : undefined;
  if (!readBody) {
    const read = drain(response, isKept ? BEGINNING_BYTES : 0);
    return { ...facts, body: '', beginning: kept(read) };
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
    throw new TargetCallError(remark('answer_cut'));
  }
  if (size > MAX_ANSWER_BYTES) throw new TargetCallError(remark('answer_too_large'));
  const bytes = Buffer.concat(chunks);
  const beginning = kept(Promise.resolve(bytes.subarray(0, BEGINNING_BYTES)));
  return { ...facts, ...bodyOf(bytes, facts.contentType), beginning };
}

function bodyOf(bytes: Buffer, contentType: string): Pick<CalledTarget, 'body' | 'unreadable'> {
  try {
    return { body: targetText(bytes, contentType) };
  } catch (error) {
    if (error instanceof TargetTextError) return { body: '', unreadable: error.message };
    throw error;
  }
}

/**
 * Reads the rest so that the connection can be used again, unless that takes too long.
 * @returns the first `kept` bytes, as soon as they are there or nothing more comes.
 */
function drain(response: IncomingMessage, kept: number): Promise<Buffer> {
  const timer = setTimeout(() => response.destroy(), DRAIN_MS);
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve) => {
    const end = (): void => resolve(Buffer.concat(chunks.splice(0)).subarray(0, kept));
    response.on('data', (chunk: Buffer) => {
      if (size < kept) chunks.push(chunk);
      size += chunk.length;
      if (size >= kept) end();
      if (size > MAX_ANSWER_BYTES) response.destroy();
    });
    response.on('error', () => undefined);
    response.on('close', () => {
      clearTimeout(timer);
      end();
    });
  });
}

function callError(error: Error, outgoing: ClientRequest): Error {
  if (error instanceof TargetRefusedError || error instanceof TargetCallError) return error;
  if (error instanceof ProxyError)
    return new TargetCallError(remark('connection_none', { why: error.message }));
  const code = String((error as NodeJS.ErrnoException).code ?? 'unknown');
  const stale = outgoing.reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE');
  if (stale) return new StaleConnectionError(remark('connection_closed'));
  return new TargetCallError(
    code.startsWith('HPE_')
      ? remark('answer_no_http', { code })
      : remark('connection_failed', { code }),
  );
}
