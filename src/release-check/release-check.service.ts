import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { AuthorizerId } from '../authorizer/authorizer.js';
import { AuthorizationCodeService } from '../authorization/authorization-code.service.js';
import type { Push } from '../callback/push.js';
import { WorkUnderWay } from '../common/background.js';
import { HubError } from '../common/hub-error.js';
import { Secret, sha256Hex } from '../common/secret.js';
import { CustomerMessages } from '../reply/customer-messages.js';
import { SELF_CHECK_CODE_PREFIX } from './release-check.js';
import { remark } from '../common/remarks.js';

/** Waits before further tries, in milliseconds: WeChat looks for the message within seconds. */
const RETRY_WAITS_MS = [500, 1000, 2000, 4000];
/** Outcomes that are remembered, and for how long, in milliseconds. */
const REMEMBERED = { max: 100, ttl: 60_000 };

/** How the customer message of a release check went; `error` says why there was none. */
export interface FromApiOutcome {
  ok: boolean;
  error?: string;
}

/**
 * What the release check wants after its empty answer: the code exchanged for the account's token,
 * and `<code>_from_api` sent with it. WeChat looks within seconds, so it is done at once, in
 * memory; the process that dies meanwhile leaves a check that has to be started again.
 */
@Injectable()
export class ReleaseCheckService implements OnModuleDestroy {
  private readonly logger = new Logger(ReleaseCheckService.name);
  private readonly outcomes = new LRUCache<string, Promise<FromApiOutcome>>(REMEMBERED);
  private readonly running = new WorkUnderWay();
  private stopping = false;

  constructor(
    private readonly codes: AuthorizationCodeService,
    private readonly messages: CustomerMessages,
  ) {}

  /** Starts the work after a push with a code; it reports to the log. */
  begin(push: Push, code: string): void {
    if (code === '' || code.startsWith(SELF_CHECK_CODE_PREFIX)) return;
    const work = this.answerByApi(push, code);
    this.outcomes.set(keyOf(push.componentAppId, code), work);
    this.running.add(work);
  }

  /** How it went with a code that this process was pushed; undefined for another's. */
  outcomeOf(componentAppId: string, code: string): Promise<FromApiOutcome> | undefined {
    return this.outcomes.get(keyOf(componentAppId, code));
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    await this.running.idle();
  }

  private async answerByApi(push: Push, code: string): Promise<FromApiOutcome> {
    const { componentAppId, authorizerAppId, fromUser } = push;
    const facts = { componentAppId, authorizerAppId };
    try {
      const account = await this.persistently(() => this.exchange(push, code));
      const send = (): Promise<void> =>
        this.messages.sendText(account, fromUser ?? '', `${code}_from_api`);
      await this.persistently(send);
      this.logger.log('Answered the release check by a customer message', facts);
      return { ok: true };
    } catch (error) {
      this.logger.error('The release check could not be answered by a customer message', error);
      return {
        ok: false,
        error: error instanceof HubError ? error.message : remark('check_internal'),
      };
    }
  }

  /** The account of the code: exchanged now, or when the `authorized` event brought it. */
  private exchange({ componentAppId }: Push, code: string): Promise<AuthorizerId> {
    // As from a redirect, which knows nothing but the code: what the event knows stays as it is.
    return this.codes.consume({ componentAppId, code: new Secret(code), source: 'release_check' });
  }

  private async persistently<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        const wait = RETRY_WAITS_MS[attempt];
        if (wait === undefined || this.stopping || !mayPass(error)) throw error;
        await delay(wait);
      }
    }
  }
}

/** A code that WeChat refuses is refused for good; all else may be better in a second. */
function mayPass(error: unknown): boolean {
  return !(error instanceof HubError) || error.code !== 'authorization_code_refused';
}

function keyOf(componentAppId: string, code: string): string {
  return sha256Hex(`${componentAppId} ${code}`);
}
