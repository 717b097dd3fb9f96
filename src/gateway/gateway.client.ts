import {
  request as httpRequest,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestOptions,
  type ServerResponse,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Transform, type Readable } from 'node:stream';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { HubError } from '../common/hub-error.js';
import { ProxyError } from '../common/proxy-agent.js';
import type { Secret } from '../common/secret.js';
import { emitTelemetry } from '../common/telemetry.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import type { TokenSupply } from '../token-engine/with-fresh-token.js';
import { wechatAgents, type WechatAgents } from '../wechat-api/wechat-agents.js';
import { kindOfErrcode } from '../wechat-api/wechat-errcode.js';
import { BEGINNING_BYTES, errcodeOf, mayBeJson } from './wechat-answer.js';
import type { TokenParameter, WechatUrl } from './wechat-url.js';

/** A body of at most so many bytes is kept, so that its call can be made once more. */
export const KEPT_BYTES = 64 * 1024;
/** Marks calls that a hub makes: where WeChat's name leads back to a hub, it sees itself. */
export const HUB_MARK = 'x-component-hub';

/** Headers of the caller that WeChat gets; its own signed headers besides. */
const TO_WECHAT = new Set(['accept', 'content-type', 'range']);
/** Headers of WeChat's that the caller gets; its own signed headers besides. */
const FROM_WECHAT = new Set([
  'accept-ranges',
  'content-disposition',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'last-modified',
]);
/** Of signed API calls: the signature covers what they say. */
const SIGNED = 'wechatmp-';

/** A call for WeChat, without its token. */
export interface GatewayCall extends WechatUrl {
  /** Who calls: `admin`, or `key:` and the id of the API key. */
  actor: string;
  method: string;
  /** The name under which the token goes out. */
  parameter: TokenParameter;
  headers: IncomingHttpHeaders;
  body: Readable | undefined;
  tokens: TokenSupply;
  /** The caller's end: closed before it is finished, the caller has gone, and with it the call ends. */
  waiting: ServerResponse;
}

/** What WeChat answered. */
export interface GatewayAnswer {
  status: number;
  headers: Record<string, string | string[]>;
  body: Buffer | Readable;
  /** WeChat's errcode, 0 where there is none; undefined for what is no JSON. */
  errcode: number | undefined;
  /** How often WeChat was called. */
  attempts: number;
  /** Whether the token was replaced because WeChat refused it. */
  refreshed: boolean;
}

/** The caller's body: all of it, or a stream of it. */
type Body = { kept: Buffer } | { rest: Readable };

type Received = Pick<GatewayAnswer, 'status' | 'headers' | 'body' | 'errcode'>;

/**
 * Makes the calls of others with a token of the hub. Bodies stream both ways; of what is longer than
 * {@link KEPT_BYTES} nothing is held back. A call whose token WeChat refuses is made once more with
 * another one, where its body was kept; a GET that WeChat was too busy for (-1), too.
 */
@Injectable()
export class GatewayClient implements OnApplicationShutdown {
  private readonly target: Target;
  private readonly agents: WechatAgents;

  constructor(@Inject(APP_CONFIG) private readonly config: AppConfig) {
    const { protocol, hostname, port, pathname } = new URL(config.wechatApi.baseUrl);
    const isTls = protocol === 'https:';
    const { timeoutMs: timeout } = config.gateway;
    // As long as a call's, so that a connection needs no other one between two calls.
    this.agents = wechatAgents(config, timeout);
    this.target = {
      open: isTls ? httpsRequest : httpRequest,
      options: {
        protocol,
        hostname,
        port,
        agent: isTls ? this.agents.httpsAgent : this.agents.httpAgent,
        timeout,
      },
      prefix: pathname.replace(/\/$/, ''),
    };
  }

  /**
   * @throws {HubError} 413 `body_too_large`; 502 `wechat_unreachable`; 504 `wechat_timeout`; and
   * what the supply of tokens throws.
   */
  async call(call: GatewayCall): Promise<GatewayAnswer> {
    const { token } = await call.tokens.current();
    const body = call.body && (await keep(call.body));
    const canRepeat = !body || 'kept' in body;
    const first = await this.send(call, body, token);
    if (isTokenRefusal(first.errcode)) {
      const fresh = await replacement(call.tokens, token);
      if (!fresh) return { ...first, attempts: 1, refreshed: false };
      if (!canRepeat) return { ...first, attempts: 1, refreshed: true };
      discard(first);
      const second = await this.send(call, body, fresh);
      return { ...second, attempts: 2, refreshed: true };
    }
    if (first.errcode === -1 && call.method === 'GET') {
      discard(first);
      return { ...(await this.send(call, body, token)), attempts: 2, refreshed: false };
    }
    return { ...first, attempts: 1, refreshed: false };
  }

  /** After the server has closed: a stop lets calls under way come to their end. */
  onApplicationShutdown(): void {
    this.agents.httpAgent.destroy();
    this.agents.httpsAgent.destroy();
  }

  private async send(call: GatewayCall, body: Body | undefined, token: Secret): Promise<Received> {
    const started = performance.now();
    let outcome = 'unknown';
    try {
      const received = await this.request(call, body, token);
      outcome = String(received.errcode ?? 0);
      return received;
    } catch (error) {
      outcome = error instanceof HubError ? error.code : 'network';
      throw error;
    } finally {
      const seconds = (performance.now() - started) / 1000;
      // The paths are the callers': as a label of metrics they would be without end.
      emitTelemetry('wechat.call', { path: 'gateway', errcode: outcome, seconds });
    }
  }

  private async request(
    { method, path, query, parameter, headers, waiting }: GatewayCall,
    body: Body | undefined,
    token: Secret,
  ): Promise<Received> {
    if (hasGone(waiting)) throw clientGone(undefined);
    const { open, options, prefix } = this.target;
    const { timeoutMs, bodyLimit } = this.config.gateway;
    const more = query === '' ? '' : `&${query}`;
    const outgoing = open({
      ...options,
      method,
      path: `${prefix}/${path}?${parameter}=${encodeURIComponent(token.reveal())}${more}`,
      headers: headersFor(headers, body),
    });
    const silence = endAtSilence(outgoing, timeoutMs);
    const leave = (): void => {
      if (hasGone(waiting)) outgoing.destroy();
    };
    waiting.on('close', leave);
    outgoing.on('close', () => waiting.off('close', leave));
    try {
      return await read(await exchange(outgoing, body, bodyLimit), token);
    } catch (error) {
      outgoing.destroy();
      throw hasGone(waiting) ? clientGone(error) : failure(error, silence.ended);
    }
  }
}

/** Where all calls go. */
interface Target {
  open: typeof httpRequest;
  options: RequestOptions;
  /** In front of every path. */
  prefix: string;
}

function hasGone(waiting: ServerResponse): boolean {
  return waiting.destroyed && !waiting.writableFinished;
}

/**
 * Sends a request; its answer, which WeChat may give before it has all. Errors that come after it are
 * the answer's, which its reader sees; without a listener they would end the process.
 */
function exchange(
  outgoing: ClientRequest,
  body: Body | undefined,
  limit: number,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let answered = false;
    outgoing.on('response', (response) => {
      answered = true;
      resolve(response);
    });
    outgoing.on('error', reject);
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new Error('WeChat wants another protocol'));
    });
    outgoing.on('close', () => {
      // An error is dear for its stack.
      if (!answered) reject(new Error('The connection was closed'));
    });
    if (!body) outgoing.end();
    else if ('kept' in body) outgoing.end(body.kept);
    else write(outgoing, body.rest, limit).catch(reject);
  });
}

/** Ends a request whose answer does not come; while its body is still coming, the caller is the slow one. */
function endAtSilence(outgoing: ClientRequest, limitMs: number): { ended: boolean } {
  const silence = { ended: false };
  outgoing.on('timeout', () => {
    const { socket, writableEnded, writableLength } = outgoing;
    if (!writableEnded && writableLength === 0 && socket?.connecting === false) {
      socket.setTimeout(limitMs);
      return;
    }
    silence.ended = true;
    outgoing.destroy(new Error('WeChat is silent'));
  });
  return silence;
}

/** Reads as much as can be kept; what is longer goes on as a stream. */
async function keep(stream: Readable): Promise<Body> {
  const { begun, ended } = await beginningOf(stream, KEPT_BYTES).catch((error: unknown) => {
    throw clientGone(error);
  });
  return ended ? { kept: begun } : { rest: stream };
}

/**
 * The first bytes of a stream, somewhat more than `limit` where it is longer; it is paused then, and
 * gives them once more.
 */
async function beginningOf(
  stream: Readable,
  limit: number,
): Promise<{ begun: Buffer; ended: boolean }> {
  const chunks: Buffer[] = [];
  let length = 0;
  const ended = await new Promise<boolean>((resolve, reject) => {
    const finish = (outcome: boolean | Error): void => {
      if (outcome !== true) stream.pause();
      stream.off('data', take).off('end', end).off('error', fail).off('close', close);
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      length += chunk.length;
      if (length <= limit) return;
      finish(false);
      // At once: a stream that has all its bytes would end before the caller runs.
      stream.unshift(Buffer.concat(chunks));
    };
    const end = (): void => finish(true);
    const fail = (error: Error): void => finish(error);
    const close = (): void => finish(new Error('The stream was cut'));
    stream.on('data', take).on('end', end).on('error', fail).on('close', close);
  });
  const [first] = chunks;
  return { begun: first && chunks.length === 1 ? first : Buffer.concat(chunks), ended };
}

function headersFor(headers: IncomingHttpHeaders, body: Body | undefined): OutgoingHttpHeaders {
  const going: OutgoingHttpHeaders = picked(headers, TO_WECHAT);
  going['accept-encoding'] = 'identity';
  going[HUB_MARK] = '1';
  if (!body) return going;
  // WeChat is known to refuse bodies in chunks: their length is said wherever it is known.
  const length = 'kept' in body ? body.kept.length : headers['content-length'];
  if (length !== undefined) going['content-length'] = length;
  return going;
}

/** @param clean what becomes of each value. */
function picked(
  headers: IncomingHttpHeaders,
  names: ReadonlySet<string>,
  clean: (value: string) => string = (value) => value,
): Record<string, string | string[]> {
  const going: Record<string, string | string[]> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || !(names.has(name) || name.startsWith(SIGNED))) continue;
    going[name] = typeof value === 'string' ? clean(value) : value.map(clean);
  }
  return going;
}

/** Writes a body with back-pressure. @throws {HubError} 413 `body_too_large` */
async function write(
  outgoing: NodeJS.WritableStream,
  rest: Readable,
  limit: number,
): Promise<void> {
  let bytes = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      done(bytes > limit ? tooLarge(limit) : null, chunk);
    },
  });
  // No `pipeline`: at a failure it would end the caller's request, too, whose answer is still due.
  try {
    await new Promise<void>((resolve, reject) => {
      counted.once('error', reject);
      outgoing.once('finish', resolve).once('error', reject);
      outgoing.once('close', () => reject(new Error('The connection was closed')));
      rest.once('error', (error) => reject(clientGone(error)));
      rest.once('close', () => {
        if (!rest.readableEnded) reject(clientGone(undefined));
      });
      rest.pipe(counted).pipe(outgoing);
    });
  } finally {
    rest.unpipe(counted);
    // What is left of it is thrown away.
    rest.resume();
  }
}

async function read(response: IncomingMessage, token: Secret): Promise<Received> {
  const { statusCode: status = 0 } = response;
  // Who reads it hears of its errors; one that comes while nobody reads must not end the process.
  response.on('error', () => undefined);
  if (status < 200 || status > 599) {
    throw new HubError('wechat_unreachable', `What answers for WeChat says HTTP ${status}`, {
      status: 502,
    });
  }
  const text = token.reveal();
  const clean = (value: string): string => value.replaceAll(text, '***');
  const headers = picked(response.headers, FROM_WECHAT, clean);
  if (!mayBeJson(response.headers['content-type'])) {
    return { status, headers, body: response, errcode: undefined };
  }
  const { begun, ended } = await beginningOf(response, BEGINNING_BYTES);
  const errcode = status === 200 ? errcodeOf(begun, ended) : undefined;
  const body = ended ? masked(begun, token) : maskedStream(response, token);
  return { status, headers, body, errcode };
}

/** WeChat's words about a token may repeat it; what takes its place is as long. */
function masked(bytes: Buffer, token: Secret): Buffer {
  const text = token.reveal();
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at)) {
    bytes.fill('*', at, at + text.length);
  }
  return bytes;
}

/** The same of a stream, which may cut a token in two. */
function maskedStream(source: Readable, token: Secret): Readable {
  const { length } = token.reveal();
  let tail: Buffer = Buffer.alloc(0);
  const mask = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const bytes = masked(Buffer.concat([tail, chunk]), token);
      const safe = Math.max(0, bytes.length - length + 1);
      tail = bytes.subarray(safe);
      done(null, bytes.subarray(0, safe));
    },
    flush: (done) => done(null, tail),
  });
  source.once('error', (error) => mask.destroy(error));
  mask.once('close', () => source.destroy());
  return source.pipe(mask);
}

/** Whether WeChat refuses the token (40001, 40014, 42001). */
export function isTokenRefusal(errcode: number | undefined): boolean {
  return errcode !== undefined && errcode > 0 && kindOfErrcode(errcode) === 'token';
}

/** Another token than the refused one; undefined where there is none now. */
async function replacement(tokens: TokenSupply, refused: Secret): Promise<Secret | undefined> {
  try {
    const { token } = await tokens.replace(refused.reveal());
    return token.reveal() === refused.reveal() ? undefined : token;
  } catch {
    // WeChat's own answer says enough.
    return undefined;
  }
}

function discard({ body }: Received): void {
  if (!Buffer.isBuffer(body)) body.destroy();
}

function failure(error: unknown, late: boolean): unknown {
  if (error instanceof HubError) return error;
  if (late) {
    return new HubError('wechat_timeout', 'WeChat did not answer in time', { status: 504 });
  }
  const { code } = error as NodeJS.ErrnoException;
  return new HubError('wechat_unreachable', `WeChat cannot be called: ${code ?? 'no connection'}`, {
    status: 502,
    cause: error,
  });
}

/** Whether WeChat may have got, and done, what then failed: a request of which no answer came. */
export function mayHaveArrived({ code, cause }: HubError): boolean {
  if (code === 'wechat_timeout') return true;
  const { syscall = '' } = (cause ?? {}) as NodeJS.ErrnoException;
  const neverSent = cause instanceof ProxyError || /^(?:connect|getaddrinfo|query)/.test(syscall);
  return code === 'wechat_unreachable' && !neverSent;
}

function clientGone(cause: unknown): HubError {
  return new HubError('client_gone', 'The caller has gone', { status: 499, level: 'debug', cause });
}

/** @param limit in bytes. */
export function tooLarge(limit: number): HubError {
  return new HubError('body_too_large', `A body may have ${limit} bytes`, { status: 413 });
}
