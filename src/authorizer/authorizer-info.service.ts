import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { ComponentCall } from '../token/component-call.js';
import { failureKind, nextAttemptAt } from '../token/failure-policy.js';
import { ComponentApi } from '../wechat-api/component-api.js';
import type { Authorizer } from './authorizer.entity.js';
import { AuthorizerStore } from './authorizer.store.js';

/** Accounts that one turn of the timer takes up. */
const BATCH = 20;
/** Failures are as good as the second one: there is no hurry. */
const PATIENT_ATTEMPT = 4;

/** Fetches what WeChat knows of accounts (api_get_authorizer_info), where the record asks for it. */
@Injectable()
export class AuthorizerInfoService {
  private readonly logger = new Logger(AuthorizerInfoService.name);

  constructor(
    private readonly authorizers: AuthorizerStore,
    private readonly calls: ComponentCall,
    private readonly api: ComponentApi,
    private readonly clock: Clock,
  ) {}

  /** Takes up the accounts whose information is due. */
  async fetchDue(): Promise<void> {
    const due = await this.authorizers.infoDue(BATCH);
    await Promise.all(due.map((row) => this.fetch(row)));
  }

  private async fetch(row: Authorizer): Promise<void> {
    const { componentAppId, authorizerAppId } = row;
    try {
      const answer = await this.calls.run(componentAppId, (token) =>
        this.api.authorizerInfo(componentAppId, token, authorizerAppId),
      );
      await this.authorizers.keepInfo(row, answer, row.generation);
    } catch (error) {
      const kind = failureKind(error);
      // An account that is not authorized has no information to give.
      const next =
        kind === 'withdrawn'
          ? null
          : nextAttemptAt(kind, PATIENT_ATTEMPT, this.clock.now(), Math.random());
      await this.authorizers.postponeInfo({ componentAppId, authorizerAppId }, next);
      this.logger.warn('The information of an account could not be fetched', error);
    }
  }
}
