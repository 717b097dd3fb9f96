import { Injectable, Logger } from '@nestjs/common';
import { z } from 'zod';
import { Clock } from '../common/clock.js';
import { SingleFlight } from '../common/single-flight.js';
import { ComponentCall } from '../token/component-call.js';
import { failureKind, nextAttemptAt } from '../token-engine/failure-policy.js';
import { ComponentApi } from '../wechat-api/component-api.js';
import { AuthorizerPauses } from './authorizer-pauses.js';
import { AuthorizerTokenService } from './authorizer-token.service.js';
import { informed, stopped, type InfoColumns } from './authorizer-transitions.js';
import { authorizerKey } from './authorizer.js';
import type { Authorizer } from './authorizer.entity.js';
import { AuthorizerStore } from './authorizer.store.js';

/** Accounts that are asked about at once. */
const BATCH = 20;
/** Batches of one turn of the timer. */
const MAX_BATCHES = 10;
/** An account that a host has claimed is left to it for so long, in milliseconds. */
const CLAIM_MS = 60_000;
/** Failures are as good as the fourth one: there is no hurry. */
const PATIENT_ATTEMPT = 4;

/** Fetches what WeChat knows of accounts (api_get_authorizer_info), where the record asks for it. */
@Injectable()
export class AuthorizerInfoService {
  private readonly logger = new Logger(AuthorizerInfoService.name);
  private readonly asking = new SingleFlight<void>();

  constructor(
    private readonly store: AuthorizerStore,
    private readonly tokens: AuthorizerTokenService,
    private readonly pauses: AuthorizerPauses,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
    private readonly clock: Clock,
  ) {}

  /** Fetches the information that is due. */
  async fetchDue(): Promise<void> {
    await this.store.recallInfos();
    for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
      const { rows, more } = await this.store.claimInfos(BATCH, CLAIM_MS);
      await Promise.all(rows.map((row) => this.fetch(row)));
      if (!more) return;
    }
  }

  private async fetch(row: Authorizer): Promise<void> {
    const { componentAppId } = row;
    const pausedUntil = this.pauses.until(componentAppId);
    if (pausedUntil !== undefined) {
      await this.store.postponeInfo(row, pausedUntil);
      return;
    }
    try {
      await this.ask(row);
    } catch (error) {
      await this.failed(row, error);
    }
  }

  /**
   * Fetches the information of an account now, for somebody who waits; once for all who do. That
   * WeChat no longer knows the account is an answer too.
   * @throws {HubError} where WeChat cannot be asked, or refuses.
   */
  fetchNow(row: Authorizer): Promise<void> {
    return this.asking.run(authorizerKey(row), async () => {
      try {
        await this.ask(row);
      } catch (error) {
        this.pauses.notice(row.componentAppId, error);
        if (failureKind(error) !== 'withdrawn') throw error;
        await this.foundWithdrawn(row);
      }
    });
  }

  private async ask(row: Authorizer): Promise<void> {
    const { componentAppId, authorizerAppId } = row;
    const { info, authorization } = await this.calls.run(componentAppId, (token) =>
      this.api.authorizerInfo(componentAppId, token, authorizerAppId),
    );
    const answer = { asked: row, ...readInfo(info), authorization };
    await this.store.change(row, (account, now) => informed(account, answer, now));
    this.tokens.forget(row);
  }

  private async failed(row: Authorizer, error: unknown): Promise<void> {
    this.pauses.notice(row.componentAppId, error);
    const kind = failureKind(error);
    if (kind === 'withdrawn') {
      await this.foundWithdrawn(row);
      await this.store.postponeInfo(row, null);
      return;
    }
    const next = nextAttemptAt(kind, PATIENT_ATTEMPT, this.clock.now(), Math.random());
    await this.store.postponeInfo(row, next);
    this.logger.warn('The information of an account could not be fetched', error);
  }

  private async foundWithdrawn(row: Authorizer): Promise<void> {
    const { generation } = row;
    const stop = { generation, status: 'revoked', what: 'found_withdrawn' } as const;
    await this.store.change(row, (account, now) => stopped(account, stop, now));
    this.tokens.forget(row);
  }
}

/** WeChat's types are unreliable: a field of a wrong type counts as missing. */
const text = z.string().optional().catch(undefined);
const number = z.coerce.number().pipe(z.int32()).optional().catch(undefined);
const numbered = z.object({ id: number }).optional().catch(undefined);
const infoAnswer = z.looseObject({
  nick_name: text,
  user_name: text,
  principal_name: text,
  head_img: text,
  verify_type_info: numbered,
  service_type_info: numbered,
  account_status: number,
  register_type: number,
  MiniProgramInfo: z.unknown().optional(),
});

/** account_status values with which WeChat gives no working tokens: cancelled, banned, frozen. */
const SUSPENDED_ACCOUNT_STATUSES = new Set([14, 16, 19]);
/** Longest text that the columns for names hold. */
const NAME_LENGTH = 191;
const USER_NAME_LENGTH = 64;

/**
 * What an answer of api_get_authorizer_info says: the columns that it fills, without those that it
 * does not name, and its account_status where that is one without working tokens.
 */
export function readInfo(answer: Record<string, unknown>): {
  columns: InfoColumns;
  suspension: number | undefined;
} {
  const fields = infoAnswer.parse(answer);
  const { account_status: status } = fields;
  const columns: InfoColumns = {
    nickName: fields.nick_name?.slice(0, NAME_LENGTH),
    userName: fields.user_name?.slice(0, USER_NAME_LENGTH),
    principalName: fields.principal_name?.slice(0, NAME_LENGTH),
    headImg: fields.head_img,
    verifyType: fields.verify_type_info?.id,
    serviceType: fields.service_type_info?.id,
    accountStatus: status,
    registerType: fields.register_type,
    type: fields.MiniProgramInfo === undefined ? 'official_account' : 'mini_program',
    info: JSON.stringify(answer),
  };
  const named = Object.entries(columns).filter(([, value]) => value !== undefined);
  return {
    columns: Object.fromEntries(named),
    suspension: status !== undefined && SUSPENDED_ACCOUNT_STATUSES.has(status) ? status : undefined,
  };
}
