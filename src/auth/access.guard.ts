import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { MinuteCount } from '../common/minute-count.js';
import { constantTimeEqual, sha256Hex } from '../common/secret.js';
import { senderOf } from '../common/source-address.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { AdminTokenService } from './admin-token.service.js';
import { markOf, type ApiKey, type Wish } from './api-key.js';
import { ApiKeyService, type Asked } from './api-key.service.js';

/** Requests of one sender with a wrong bearer, or none, that are answered 401 within a minute. */
const WRONG_PER_MINUTE = 20;
/** Senders that are remembered. */
const SENDERS = 10_000;
const METRICS = '/metrics';
/** Names the platform of an account in calls that are handed on, whose query is WeChat's. */
export const PLATFORM_HEADER = 'x-hub-component';

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
    if (bearer === undefined) throw this.refusal(request.ip);
    const hash = sha256Hex(bearer);
    if (this.adminToken.hasHash(hash)) return 'admin';
    const { metricsHash } = this;
    const isMetrics = metricsHash !== undefined && request.routeOptions.url === METRICS;
    if (isMetrics && constantTimeEqual(hash, metricsHash)) return 'metrics';
    return this.checkKey(bearer, hash, request);
  }

  /**
   * Checks an API key that a request shows elsewhere than in its header.
   * @returns the key, and a mark of the secret for {@link checkMark}.
   * @throws {HubError} as {@link check}
   */
  async checkSecret(secret: string, asked: Asked): Promise<{ key: ApiKey; mark: string }> {
    const hash = sha256Hex(secret);
    const key = await this.keys.check(secret, hash, asked);
    if (!key) throw this.refusal(asked.address);
    return { key, mark: markOf(hash) };
  }

  /** Checks the key that a stand-in was given for. @throws {HubError} as {@link check} */
  async checkMark(id: string, mark: string, asked: Asked): Promise<ApiKey> {
    const key = await this.keys.checkMark(id, mark, asked);
    // Who has a stand-in had its key: no stranger who tries.
    if (!key) throw unauthorized();
    return key;
  }

  private async checkKey(bearer: string, hash: string, request: FastifyRequest): Promise<string> {
    const key = await this.keys.check(bearer, hash, {
      address: request.ip,
      wish: wishOf(request),
    });
    if (!key) throw this.refusal(request.ip);
    return `key:${key.id}`;
  }

  private refusal(address: string): HubError {
    const retryAfterSeconds = this.wrong.count(senderOf(address), WRONG_PER_MINUTE);
    return retryAfterSeconds === 0 ? unauthorized() : tooMany(retryAfterSeconds);
  }
}

/** What a request asks for, by its route and what its address names. */
function wishOf({ routeOptions, params, query, headers }: FastifyRequest): Wish {
  const { scopes = [], forwards } = routeOptions.config;
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
