import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { IsNull, Not, type EntityManager } from 'typeorm';
import { AuditService } from '../auth/audit.service.js';
import { Clock } from '../common/clock.js';
import { isYetToCome } from '../common/clock-trust.js';
import { HOUR_MS } from '../common/times.js';
import { Database } from '../database/database.js';
import type { AuthorizationCode } from './authorization-code.entity.js';
import { AuthorizationCodeStore } from './authorization-code.store.js';
import { AuthorizationRequest } from './authorization-request.entity.js';

/** Stored in the row of a code that a browser brought for no request of the hub. */
const NO_REQUEST = '';
/** WeChat's codes live for an hour: a browser that comes later with one did not get it just now. */
export const CODE_LIFE_MS = HOUR_MS;

/** Rows of `authorization_request`, and which code belongs to which of them. */
@Injectable()
export class AuthorizationRequestStore {
  constructor(
    private readonly database: Database,
    private readonly codes: AuthorizationCodeStore,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** @returns its id, which comes back in the redirect. */
  async add(
    values: Pick<AuthorizationRequest, 'componentAppId' | 'returnTo' | 'state'>,
  ): Promise<string> {
    const row = { id: randomUUID(), ...values, createdAt: this.clock.now() };
    await this.database.write((manager) => manager.insert(AuthorizationRequest, row));
    return row.id;
  }

  find(id: string): Promise<AuthorizationRequest | null> {
    return this.database.read((manager) => manager.findOneBy(AuthorizationRequest, { id }));
  }

  /**
   * Binds a code and the request that a browser has brought it for to each other, for good.
   * @param code its row, locked.
   * @param requestId null where the browser came without a request of the hub.
   * @returns whether the code counts there: not where another request has brought it, the request
   * has another code, or the code was there before the request was made.
   */
  async bind(
    code: AuthorizationCode,
    requestId: string | null,
    manager: EntityManager,
  ): Promise<boolean> {
    const bringer = requestId ?? NO_REQUEST;
    const isFirst = code.requestId === null;
    if (isFirst ? this.isOld(code) : code.requestId !== bringer) return false;
    if (requestId !== null) {
      const where = { id: requestId };
      const request = await manager.findOne(AuthorizationRequest, {
        where,
        ...this.database.forUpdate,
      });
      if (!request) return false;
      if (request.codeHash !== null && request.codeHash !== code.codeHash) return false;
      if (isFirst && this.isLaterThan(request, code)) return false;
      if (request.codeHash === null) {
        const returnedAt = this.clock.now();
        const change = { codeHash: code.codeHash, returnedAt, redeemedAt: null };
        await manager.update(AuthorizationRequest, where, change);
      }
    }
    if (isFirst) await this.codes.bind(code.codeHash, bringer, manager);
    return true;
  }

  /** Whether {@link bind} has an answer that no longer changes, and which; undefined for not yet. */
  isBound({ requestId }: AuthorizationCode, bringer: string | null): boolean | undefined {
    return requestId === null ? undefined : requestId === (bringer ?? NO_REQUEST);
  }

  /** The browser came back without a code. @returns whether the request had none before, either. */
  async giveUp(id: string): Promise<boolean> {
    const returnedAt = this.clock.now();
    const { affected } = await this.database.write((manager) =>
      manager.update(AuthorizationRequest, { id, codeHash: IsNull() }, { returnedAt }),
    );
    return affected === 1;
  }

  /**
   * Takes the right to the request's result: one caller has it, on all hosts.
   * @param withCode whether it is the result of a code, or of having given up.
   */
  async redeem(id: string, withCode: boolean): Promise<boolean> {
    const codeHash = withCode ? Not(IsNull()) : IsNull();
    const which = { id, codeHash, redeemedAt: IsNull() };
    const redeemedAt = this.clock.now();
    return this.database.transaction(async (manager) => {
      const { affected } = await manager.update(AuthorizationRequest, which, { redeemedAt });
      if (affected === 1) await this.audit.within(manager);
      return affected === 1;
    });
  }

  private isOld({ receivedAt }: AuthorizationCode): boolean {
    return receivedAt < this.clock.now() - CODE_LIFE_MS;
  }

  /** A clock that was ahead when the request was made says nothing. */
  private isLaterThan({ createdAt }: AuthorizationRequest, code: AuthorizationCode): boolean {
    return isYetToCome(createdAt, code.receivedAt) && !isYetToCome(createdAt, this.clock.now());
  }
}
