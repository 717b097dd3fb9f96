import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import type { Secret } from '../common/secret.js';
import { DAY_MS } from '../common/times.js';
import { newKeyId } from './api-key.js';
import type { Operator, OperatorValues } from './operator.js';
import { operatorUnknown, OperatorStore } from './operator.store.js';
import { newValue } from './session.js';
import { SessionService } from './session.service.js';

/** Life of an invitation, in milliseconds. */
const INVITATION_MS = DAY_MS;

/** An operator, and what to hand over to them: shown this once. */
export interface Invited {
  operator: Operator;
  invitation: Secret;
}

/** The operators as owners manage them. A change counts here at once, on other hosts within 5 s. */
@Injectable()
export class OperatorService {
  constructor(
    private readonly store: OperatorStore,
    private readonly sessions: SessionService,
    private readonly clock: Clock,
  ) {}

  /** A page, newest first. */
  page(limit: number, before?: string): Promise<Operator[]> {
    return this.store.page(limit, before);
  }

  /** @throws {HubError} 404 `operator_unknown` */
  async get(id: string): Promise<Operator> {
    const operator = await this.store.find(id);
    if (!operator) throw operatorUnknown();
    return operator;
  }

  /** @throws {HubError} 409 `operator_exists` */
  async add(values: OperatorValues): Promise<Invited> {
    const id = newKeyId(this.clock.now());
    const { invitation, ...kept } = this.newInvitation();
    await this.store.add(id, values, kept);
    return { operator: await this.get(id), invitation };
  }

  /** @throws {HubError} 404 `operator_unknown`; 409 `operator_exists` */
  async change(id: string, values: Partial<OperatorValues>): Promise<Operator> {
    await this.store.change(id, values);
    // Else a stolen cookie would work again when the operator is enabled again.
    if (values.enabled === false) await this.sessions.endAllOf(id);
    this.sessions.operatorsChanged();
    return this.get(id);
  }

  /**
   * Another invitation, for who has lost the first one or the password. The password so far counts
   * until it is used.
   * @throws {HubError} 404 `operator_unknown`
   */
  async invite(id: string): Promise<Invited> {
    const { invitation, ...kept } = this.newInvitation();
    await this.store.change(id, kept);
    return { operator: await this.get(id), invitation };
  }

  /** @throws {HubError} 404 `operator_unknown` */
  async remove(id: string): Promise<void> {
    await this.store.remove(id);
    this.sessions.operatorsChanged();
  }

  private newInvitation(): { invitation: Secret; invitationHash: string; invitationUntil: number } {
    const { value: invitation, hash: invitationHash } = newValue();
    return { invitation, invitationHash, invitationUntil: this.clock.now() + INVITATION_MS };
  }
}
