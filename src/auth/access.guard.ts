import { Inject, Injectable } from '@nestjs/common';
import type { FastifyContextConfig, FastifyRequest } from 'fastify';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { MinuteCount } from '../common/minute-count.js';
import { constantTimeEqual, sha256Hex } from '../common/secret.js';
import { senderOf } from '../common/source-address.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { AdminTokenService } from './admin-token.service.js';
import type { Caller } from '../http/caller.js';
import { markOf, scopeRefusal, type ApiKey, type Wish } from './api-key.js';
import { ApiKeyService, callerOfKey, type Asked } from './api-key.service.js';
import { AuditService } from './audit.service.js';
import { declinesContent } from './scope.js';
import {
  callerOf,
  cookieOf,
  crossOrigin,
  isOwnPage,
  isUse,
  rightsOf,
  type KnownSession,
} from './session.js';
import { SessionService } from './session.service.js';

/** Requests of one sender with a wrong bearer, or none, that are answered 401 within a minute. */
const WRONG_PER_MINUTE = 20;
/** Senders that are remembered. */
const SENDERS = 10_000;
const METRICS = '/metrics';
/** Patterns of the routes that a session of the console opens. */
const OF_CONSOLE = /^\/admin(?:\/|$)/;
const READS = ['GET', 'HEAD'];
/** The drop-in address, as the audit trail names it. */
const WX_ROUTE = 'ANY /wx/*';
const ADMIN: Caller = { actor: 'admin', kind: 'token', name: null };
const METRICS_READER: Caller = { actor: 'metrics', kind: 'token', name: null };
/** Names the platform of an account in calls that are handed on, whose query is WeChat's. */
export const PLATFORM_HEADER = 'x-hub-component';

/** What the guard reads of a request: the framework's, or one that it has not seen. */
export type AccessRequest = Pick<
  FastifyRequest,
  'method' | 'headers' | 'ip' | 'params' | 'query'
> & { routeOptions: { url?: string; config: FastifyContextConfig } };

/**
 * Lets through `Authorization: Bearer` with the admin token, with an API key that may do what is
 * asked for, and at `/metrics` with its own token; at `/admin`, without that header, the cookie of a
 * session of the console. It counts what is wrong by sender, to save work
 * and noise: a token of 24 characters is not found by trying, and a right one passes whatever else
 * its sender has sent.
 */
@Injectable()
export class AccessGuard {
  private readonly wrong: MinuteCount;
  private readonly metricsHash: string | undefined;

  constructor(
    private readonly adminToken: AdminTokenService,
    private readonly keys: ApiKeyService,
    private readonly sessions: SessionService,
    private readonly audit: AuditService,
    clock: Clock,
    @Inject(APP_CONFIG) { metricsToken }: AppConfig,
  ) {
    this.wrong = new MinuteCount(clock, SENDERS);
    this.metricsHash = metricsToken && sha256Hex(metricsToken.reveal());
  }

  /**
   * Checks a request before its body is read.
   * @returns who asks; a promise only for an API key or a session.
   * @throws {HubError} 401 `unauthorized`, `session_ended`; 403 `cross_origin`, `missing_scope`,
   * `confirmation_required`; 429 `too_many_attempts` where the sender had many; see also
   * {@link ApiKeyService.check}
   */
  check(request: AccessRequest): Caller | Promise<Caller> {
    const { headers, routeOptions } = request;
    const cookie = OF_CONSOLE.test(routeOptions.url ?? '') ? cookieOf(headers) : undefined;
    if (headers.authorization === undefined && cookie !== undefined) {
      return this.checkSession(cookie, request);
    }
    const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (bearer === undefined) throw this.refusal(request.ip);
    const hash = sha256Hex(bearer);
    if (this.adminToken.hasHash(hash)) return ADMIN;
    const { metricsHash } = this;
    const isMetrics = metricsHash !== undefined && routeOptions.url === METRICS;
    if (isMetrics && constantTimeEqual(hash, metricsHash)) return METRICS_READER;
    return this.checkKey(bearer, hash, request);
  }

  /**
   * Checks an API key that a request shows elsewhere than in its header.
   * @returns the key, and a mark of the secret for {@link checkMark}.
   * @throws {HubError} as {@link check}
   */
  async checkSecret(
    secret: string,
    asked: Omit<Asked, 'route'>,
  ): Promise<{ key: ApiKey; mark: string }> {
    const hash = sha256Hex(secret);
    const key = await this.keys.check(secret, hash, { ...asked, route: WX_ROUTE });
    if (!key) throw this.refusal(asked.address);
    return { key, mark: markOf(hash) };
  }

  /** Checks the key that a stand-in was given for. @throws {HubError} as {@link check} */
  async checkMark(id: string, mark: string, asked: Omit<Asked, 'route'>): Promise<ApiKey> {
    const key = await this.keys.checkMark(id, mark, { ...asked, route: WX_ROUTE });
    // Who has a stand-in had its key: no stranger who tries.
    if (!key) throw unauthorized();
    return key;
  }

  private async checkKey(bearer: string, hash: string, request: AccessRequest): Promise<Caller> {
    const key = await this.keys.check(bearer, hash, {
      address: request.ip,
      route: routeOf(request),
      wish: wishOf(request),
    });
    if (!key) throw this.refusal(request.ip);
    return callerOfKey(key);
  }

  private async checkSession(cookie: string, request: AccessRequest): Promise<Caller> {
    const known = await this.sessions.find(cookie, request.ip);
    if (!known) throw this.refusal(request.ip);
    const caller = callerOf(known);
    const refusal = await this.sessionRefusal(cookie, known, request);
    if (refusal) {
      const facts = { caller, target: routeOf(request), sourceAddress: request.ip };
      this.audit.refused({ ...facts, action: 'access.refused', outcome: refusal.code });
      throw refusal;
    }
    if (isUse(request.headers)) this.sessions.noteUse(known);
    return caller;
  }

  private async sessionRefusal(
    cookie: string,
    known: KnownSession,
    request: AccessRequest,
  ): Promise<HubError | undefined> {
    const ended = this.sessions.refusalOf(known);
    if (ended) return ended;
    const { method, headers, routeOptions } = request;
    // A browser sends the cookie whosever page asks it to.
    if (!READS.includes(method) && isOwnPage(headers) !== true) return crossOrigin();
    const { scopes } = wishOf(request);
    const refusal = scopeRefusal(rightsOf(known).scopes, scopes, 'The role');
    if (refusal) return refusal;
    const mustConfirm = routeOptions.config.confirmed === true || reveals(request);
    const isConfirmed = !mustConfirm || (await this.sessions.isConfirmed(cookie, known));
    return isConfirmed ? undefined : confirmationRequired();
  }

  private refusal(address: string): HubError {
    const retryAfterSeconds = this.wrong.count(senderOf(address), WRONG_PER_MINUTE);
    return retryAfterSeconds === 0 ? unauthorized() : tooMany(retryAfterSeconds);
  }
}

/** What a request asks for, by its route and what its address names. */
function wishOf(request: AccessRequest): Wish {
  const { routeOptions, params, query, headers } = request;
  const { scopes = [], withoutContent, forwards } = routeOptions.config;
  const named = params as { componentAppId?: string; authorizerAppId?: string; '*'?: string };
  if (forwards) {
    // The query is WeChat's.
    const platform = headers[PLATFORM_HEADER];
    return {
      scopes,
      authorizerAppId: named.authorizerAppId,
      componentAppId: named.componentAppId ?? (typeof platform === 'string' ? platform : undefined),
      path: named['*'],
    };
  }
  const asked = query as { component?: unknown };
  const { authorizerAppId } = named;
  // Beside an account the query may name its platform; in lists it is a filter and no limit.
  const component = authorizerAppId === undefined ? undefined : asked.component;
  const componentAppId =
    named.componentAppId ?? (typeof component === 'string' ? component : undefined);
  const enough = withoutContent && declinesContent(query) ? [...scopes, withoutContent] : scopes;
  return { scopes: reveals(request) ? ['admin'] : enough, componentAppId, authorizerAppId };
}

/** Whether secrets are asked for; what is malformed is, to be sure. */
function reveals({ query }: AccessRequest): boolean {
  const { reveal = 'false' } = query as { reveal?: unknown };
  return reveal !== 'false';
}

function routeOf({ method, routeOptions }: AccessRequest): string {
  return `${method} ${routeOptions.url}`;
}

function unauthorized(): HubError {
  return new HubError('unauthorized', 'Send "Authorization: Bearer <ADMIN_TOKEN or API key>"', {
    status: 401,
    level: 'log',
  });
}

function confirmationRequired(): HubError {
  const message = 'Give the token or password again: POST /admin/session/confirm';
  return new HubError('confirmation_required', message, { status: 403, level: 'log' });
}

function tooMany(retryAfterSeconds: number): HubError {
  return new HubError('too_many_attempts', 'Too many requests with a wrong bearer token', {
    status: 429,
    level: 'log',
    details: { retryAfterSeconds },
  });
}
