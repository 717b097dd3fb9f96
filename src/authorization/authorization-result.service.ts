import { Injectable } from '@nestjs/common';
import { AuditService } from '../auth/audit.service.js';
import { Clock } from '../common/clock.js';
import { isRecent } from '../common/clock-trust.js';
import { HubError } from '../common/hub-error.js';
import { SecretBox } from '../secrets/secret-box.js';
import type { AuthorizationCode } from './authorization-code.entity.js';
import { AuthorizationCodeStore } from './authorization-code.store.js';
import type { AuthorizationRequest } from './authorization-request.entity.js';
import { AuthorizationRequestStore } from './authorization-request.store.js';

/** How long a result can be had after the browser came back, in milliseconds. */
export const RESULT_LIFE_MS = 10 * 60_000;
const PURPOSE = 'authorization result';
/** A request's id without dashes, what it ended with (a code, or given up), the signature of both. */
const ID = /^([0-9a-f]{32}[cx])([\w-]{43})$/;

/** How an authorization ended; `pending` while WeChat has still to answer. */
export const RESULT_OUTCOMES = ['authorized', 'failed', 'cancelled', 'pending'] as const;

/** What the caller learns of an authorization that it began. */
export interface AuthorizationResult {
  outcome: (typeof RESULT_OUTCOMES)[number];
  componentAppId: string;
  /** The account, where it has authorized. */
  authorizerAppId: string | null;
  /** As the caller gave it. */
  state: string | null;
  /** Code of the error, where it failed. */
  error: string | null;
}

/**
 * Results of authorizations. A browser carries but an id, which only the hub can make: who it was
 * given to has it turned into the result, once, with a bearer token that no browser has.
 */
@Injectable()
export class AuthorizationResultService {
  constructor(
    private readonly requests: AuthorizationRequestStore,
    private readonly codes: AuthorizationCodeStore,
    private readonly audit: AuditService,
    private readonly box: SecretBox,
    private readonly clock: Clock,
  ) {}

  /** The same whenever and wherever a browser comes back with the same: it may come twice. */
  idOf({ id }: AuthorizationRequest, ending: 'code' | 'given up'): string {
    const text = id.replaceAll('-', '') + (ending === 'code' ? 'c' : 'x');
    return text + this.box.sign(text, PURPOSE);
  }

  /**
   * Hands the result out, once; a pending one may be asked for again.
   * @throws {HubError} 404 `authorization_result_unknown`, 410 `authorization_result_gone`
   */
  async redeem(resultId: string): Promise<AuthorizationResult> {
    const { requestId, withCode } = this.parse(resultId);
    const request = await this.requests.find(requestId);
    if (!request) throw unknown();
    const { componentAppId, codeHash, state, redeemedAt } = request;
    if (redeemedAt !== null || withCode !== (codeHash !== null) || this.isOver(request)) {
      throw gone();
    }
    const code = codeHash === null ? null : await this.codes.find(codeHash);
    if (withCode && !code) throw gone();
    const target = [componentAppId, code?.authorizerAppId].filter(Boolean).join('/');
    this.audit.about(target);
    if (code?.state === 'pending') {
      const nothing = { authorizerAppId: null, state: null, error: null };
      return { outcome: 'pending', componentAppId, ...nothing };
    }
    if (!(await this.requests.redeem(requestId, withCode))) throw gone();
    return { ...endOf(code), componentAppId, state };
  }

  private parse(resultId: string): { requestId: string; withCode: boolean } {
    const [, text = '', signature = ''] = ID.exec(resultId) ?? [];
    if (!text || !this.box.isSigned(text, PURPOSE, signature)) throw unknown();
    const requestId = text.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).$/, '$1-$2-$3-$4-$5');
    return { requestId, withCode: text.endsWith('c') };
  }

  private isOver({ returnedAt }: AuthorizationRequest): boolean {
    return !isRecent(returnedAt, RESULT_LIFE_MS, this.clock.now());
  }
}

function endOf(
  code: AuthorizationCode | null,
): Pick<AuthorizationResult, 'outcome' | 'authorizerAppId' | 'error'> {
  if (!code) return { outcome: 'cancelled', authorizerAppId: null, error: null };
  if (code.state === 'done') {
    return { outcome: 'authorized', authorizerAppId: code.authorizerAppId, error: null };
  }
  return { outcome: 'failed', authorizerAppId: null, error: 'authorization_code_refused' };
}

function unknown(): HubError {
  return new HubError('authorization_result_unknown', 'There is no such result', { status: 404 });
}

function gone(): HubError {
  return new HubError(
    'authorization_result_gone',
    'The result was handed out already, or is more than 10 minutes old',
    { status: 410 },
  );
}
