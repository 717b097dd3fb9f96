import {
  request as httpRequest,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
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
const TO_WECHAT = ['accept', 'content-type', 'range'];
/** Headers of WeChat's that the caller gets; its own signed headers besides. */
const FROM_WECHAT = [
  'accept-ranges',
  'content-disposition',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'last-modified',
];
/** Of signed API calls: the signature covers what they say. */
const SIGNED = /^wechatmp-/;

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
  /** Ends the call: nobody waits for its answer. */
  signal: AbortSignal;
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
  private readonly base: URL;
  private readonly agents: WechatAgents;

  constructor(@Inject(APP_CONFIG) private readonly config: AppConfig) {
    this.base = new URL(config.wechatApi.baseUrl);
    this.agents = wechatAgents(config);
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
    { method, path, query, parameter, headers, signal }: GatewayCall,
    body: Body | undefined,
    token: Secret,
  ): Promise<Received> {
    const { protocol, hostname, port, pathname } = this.base;
    const isTls = protocol === 'https:';
    const prefix = pathname.replace(/\/$/, '');
    const more = query === '' ? '' : `&${query}`;
    const outgoing = (isTls ? httpsRequest : httpRequest)({
      protocol,
      hostname,
      port,
      method,
      path: `${prefix}/${path}?${parameter}=${encodeURIComponent(token.reveal())}${more}`,
      agent: isTls ? this.agents.httpsAgent : this.agents.httpAgent,
      headers: { ...headersFor(headers, body), 'accept-encoding': 'identity', [HUB_MARK]: '1' },
      timeout: this.config.gateway.timeoutMs,
    });
    const silence = endAtSilence(outgoing, this.config.gateway.timeoutMs);
    const leave = (): void => void outgoing.destroy();
    signal.addEventListener('abort', leave, { once: true });
    outgoing.once('close', () => signal.removeEventListener('abort', leave));
    try {
      const answered = responseOf(outgoing);
      // WeChat may answer before it has all.
      const failed = write(outgoing, body, this.config.gateway.bodyLimit).then(() => answered);
      return await read(await Promise.race([answered, failed]), token);
    } catch (error) {
      outgoing.destroy();
      throw signal.aborted ? clientGone(error) : failure(error, silence.ended);
    }
  }
}

/**
 * The answer of a request. Errors that come after it are the answer's, which its reader sees; without
 * a listener they would end the process.
 */
function responseOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.on('error', reject);
    outgoing.once('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new Error('WeChat wants another protocol'));
    });
    outgoing.once('close', () => reject(new Error('The connection was closed')));
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
      stream.pause();
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
    stream.on('data', take).once('end', end).once('error', fail).once('close', close);
  });
  return { begun: Buffer.concat(chunks), ended };
}

function headersFor(
  headers: IncomingHttpHeaders,
  body: Body | undefined,
): Record<string, string | string[]> {
  const going = picked(headers, TO_WECHAT);
  if (!body) return going;
  // WeChat is known to refuse bodies in chunks: their length is said wherever it is known.
  if ('kept' in body) return { ...going, 'content-length': String(body.kept.length) };
  const length = headers['content-length'];
  return length === undefined ? going : { ...going, 'content-length': length };
}

function picked(
  headers: IncomingHttpHeaders,
  names: readonly string[],
): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string | string[]] =>
        entry[1] !== undefined && (names.includes(entry[0]) || SIGNED.test(entry[0])),
    ),
  );
}

/** Writes the body with back-pressure. @throws {HubError} 413 `body_too_large` */
async function write(
  outgoing: NodeJS.WritableStream,
  body: Body | undefined,
  limit: number,
): Promise<void> {
  if (!body) {
    outgoing.end();
    return;
  }
  if ('kept' in body) {
    outgoing.end(body.kept);
    return;
  }
  const { rest } = body;
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
  const headers = maskedHeaders(picked(response.headers, FROM_WECHAT), token);
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

function maskedHeaders(
  headers: Record<string, string | string[]>,
  token: Secret,
): Record<string, string | string[]> {
  const clean = (value: string): string => value.replaceAll(token.reveal(), '***');
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(clean) : clean(value),
    ]),
  );
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
