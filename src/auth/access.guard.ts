import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { MinuteCount } from '../common/minute-count.js';
import { constantTimeEqual, sha256Hex } from '../common/secret.js';
import { senderOf } from '../common/source-address.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { AdminTokenService } from './admin-token.service.js';
import type { Wish } from './api-key.js';
import { ApiKeyService } from './api-key.service.js';

/** Requests of one sender with a wrong bearer, or none, that are answered 401 within a minute. */
const WRONG_PER_MINUTE = 20;
/** Senders that are remembered. */
const SENDERS = 10_000;
const METRICS = '/metrics';

/**
 * Lets through `Authorization: Bearer` with the admin token, with an API key that may do what is
 * asked for, and at `/metrics` with its own token. It counts what is wrong by sender, to save work
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
    clock: Clock,
    @Inject(APP_CONFIG) { metricsToken }: AppConfig,
  ) {
    this.wrong = new MinuteCount(clock, SENDERS);
    this.metricsHash = metricsToken && sha256Hex(metricsToken.reveal());
  }

  /**
   * Checks a request before its body is read.
   * @returns who asks, as the audit trail names it; a promise only for an API key.
   * @throws {HubError} 401 `unauthorized`; 429 `too_many_attempts` where the sender had many; see
   * also {@link ApiKeyService.check}
   */
  check(request: FastifyRequest): string | Promise<string> {
    const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (bearer === undefined) throw this.refusal(request);
    const hash = sha256Hex(bearer);
    if (this.adminToken.hasHash(hash)) return 'admin';
    const { metricsHash } = this;
    const isMetrics = metricsHash !== undefined && request.routeOptions.url === METRICS;
    if (isMetrics && constantTimeEqual(hash, metricsHash)) return 'metrics';
    return this.checkKey(bearer, hash, request);
  }

  private async checkKey(bearer: string, hash: string, request: FastifyRequest): Promise<string> {
    const id = await this.keys.check(bearer, hash, {
      address: request.ip,
      wish: wishOf(request),
    });
    if (id === undefined) throw this.refusal(request);
    return `key:${id}`;
  }

  private refusal({ ip }: FastifyRequest): HubError {
    const retryAfterSeconds = this.wrong.count(senderOf(ip), WRONG_PER_MINUTE);
    return retryAfterSeconds === 0 ? unauthorized() : tooMany(retryAfterSeconds);
  }
}

/** What a request asks for, by its route and what its address names. */
function wishOf({ routeOptions, params, query }: FastifyRequest): Wish {
  const { scopes = [] } = routeOptions.config;
  const named = params as { componentAppId?: string; authorizerAppId?: string };
  const asked = query as { component?: unknown; reveal?: unknown };
  const { authorizerAppId } = named;
  // Beside an account the query may name its platform; in lists it is a filter and no limit.
  const component = authorizerAppId === undefined ? undefined : asked.component;
  const componentAppId =
    named.componentAppId ?? (typeof component === 'string' ? component : undefined);
  const reveals = 'reveal' in asked && asked.reveal !== 'false';
  return { scopes: reveals ? ['admin'] : scopes, componentAppId, authorizerAppId };
}

function unauthorized(): HubError {
  return new HubError('unauthorized', 'Send "Authorization: Bearer <ADMIN_TOKEN or API key>"', {
    status: 401,
    level: 'log',
  });
}

function tooMany(retryAfterSeconds: number): HubError {
  return new HubError('too_many_attempts', 'Too many requests with a wrong bearer token', {
    status: 429,
    level: 'log',
    details: { retryAfterSeconds },
  });
}
