import type { ServerResponse } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { AuthorizerTokenService } from '../authorizer/authorizer-token.service.js';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { Tally } from '../common/tally.js';
import { emitTelemetry } from '../common/telemetry.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import type { TokenSupply } from '../token-engine/with-fresh-token.js';
import { TokenService } from '../token/token.service.js';
import { GatewayClient, type GatewayAnswer, type GatewayCall } from './gateway.client.js';
import { QuotaPauses } from './quota-pauses.js';

/** On whose behalf a call is made: a platform's own, or an account of one. */
export interface GatewayOwner {
  /** For an account: needed where it is authorized to several platforms. */
  componentAppId?: string | undefined;
  authorizerAppId?: string | undefined;
}

/** Calls of WeChat on behalf of platforms and accounts, within the limits of each. */
@Injectable()
export class GatewayService {
  private readonly underWay = new Tally();
  private readonly pauses: QuotaPauses;

  constructor(
    private readonly client: GatewayClient,
    private readonly components: TokenService,
    private readonly authorizers: AuthorizerTokenService,
    clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {
    this.pauses = new QuotaPauses(clock);
  }

  /**
   * Makes a call with the owner's token; it counts as under way until the caller has its answer, or
   * is gone.
   * @param tokens another supply than the owner's: of a user's token.
   * @throws {HubError} 429 `wechat_quota_spent`, 503 `too_many_calls`; see also
   * {@link GatewayClient.call} and the services of tokens.
   */
  async call(
    owner: GatewayOwner,
    call: Omit<GatewayCall, 'tokens'>,
    tokens?: TokenSupply,
  ): Promise<GatewayAnswer> {
    const name = owner.authorizerAppId ?? owner.componentAppId ?? '';
    this.pauses.check(name, call.path);
    this.begin(name, call.waiting);
    const { authorizerAppId } = owner;
    const account =
      authorizerAppId === undefined
        ? undefined
        : await this.authorizers.idOf(authorizerAppId, owner.componentAppId || undefined);
    const componentAppId = account?.componentAppId ?? owner.componentAppId ?? '';
    const supply = tokens ?? (account ? this.authorizers.supplyOf(account) : this.tokensOf(owner));
    let errcode: string | undefined = 'unknown';
    try {
      const answer = await this.client.call({ ...call, tokens: supply });
      errcode = String(answer.errcode ?? 0);
      this.pauses.note(name, call.path, answer.errcode ?? 0);
      return answer;
    } catch (error) {
      // A name that is unknown is the caller's own, and there is no end to those.
      if (error instanceof HubError) errcode = error.status === 404 ? undefined : error.code;
      throw error;
    } finally {
      const { actor, path } = call;
      if (errcode !== undefined) {
        emitTelemetry('gateway.call', {
          actor,
          componentAppId,
          authorizerAppId: authorizerAppId ?? '',
          path,
          errcode,
        });
      }
    }
  }

  private begin(name: string, waiting: ServerResponse): void {
    if (this.underWay.of(name) >= this.config.gateway.concurrency) {
      throw new HubError(
        'too_many_calls',
        'Too many calls of this account or platform are under way',
        {
          status: 503,
          level: 'log',
          details: { retryAfterSeconds: 1 },
        },
      );
    }
    // Who has gone already closes no second time.
    if (waiting.destroyed) return;
    this.underWay.add(name, 1);
    waiting.once('close', () => this.underWay.add(name, -1));
  }

  /** The owner's calls were given back: this process refuses its paths no longer. */
  forgetPauses({ authorizerAppId, componentAppId = '' }: GatewayOwner): void {
    this.pauses.forget(authorizerAppId ?? componentAppId);
  }

  /** Where the calls of an owner get their token. */
  tokensOf({ authorizerAppId, componentAppId = '' }: GatewayOwner): TokenSupply {
    return authorizerAppId === undefined
      ? this.components.supply(componentAppId)
      : this.authorizers.supply(authorizerAppId, componentAppId || undefined);
  }
}
