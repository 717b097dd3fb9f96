import { Injectable } from '@nestjs/common';
import { LessThan, MoreThan, type EntityManager } from 'typeorm';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { Database, isDuplicateKey } from '../database/database.js';
import { AuditService } from './audit.service.js';
import { OperatorRow } from './operator.entity.js';
import type { Operator, OperatorValues, Role } from './operator.js';

/** An invitation as it is kept: its hash, and until when it works, in Unix milliseconds. */
export interface Invitation {
  invitationHash: string;
  invitationUntil: number;
}

/** Rows of `operator`. */
@Injectable()
export class OperatorStore {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly audit: AuditService,
  ) {}

  /** A page, newest first. */
  async page(limit: number, before?: string): Promise<Operator[]> {
    const rows = await this.database.read((manager) =>
      manager.find(OperatorRow, {
        where: before === undefined ? {} : { id: LessThan(before) },
        order: { id: 'DESC' },
        take: limit,
      }),
    );
    return rows.map(toOperator);
  }

  find(id: string): Promise<Operator | undefined> {
    return this.findBy({ id });
  }

  findByName(name: string): Promise<Operator | undefined> {
    return this.findBy({ name });
  }

  /** Whose invitation it is, while it works. */
  async findInvited(invitationHash: string): Promise<Operator | undefined> {
    const until = MoreThan(this.clock.now());
    const row = await this.database.read((manager) =>
      manager.findOneBy(OperatorRow, { invitationHash, invitationUntil: until }),
    );
    return row ? toOperator(row) : undefined;
  }

  /** @throws {HubError} 409 `operator_exists` */
  async add(id: string, values: OperatorValues, invitation: Invitation): Promise<void> {
    const now = this.clock.now();
    const row = { ...values, ...invitation, id, createdAt: now, updatedAt: now };
    await this.transact(async (manager) => {
      await manager.insert(OperatorRow, row);
    });
  }

  /** @throws {HubError} 404 `operator_unknown`; 409 `operator_exists` */
  async change(id: string, change: Partial<OperatorValues> | Invitation): Promise<void> {
    await this.transact((manager) => this.update(manager, id, change));
  }

  /** @throws {HubError} 404 `operator_unknown` */
  async remove(id: string): Promise<void> {
    await this.transact(async (manager) => {
      const { affected } = await manager.delete(OperatorRow, { id });
      if (affected !== 1) throw operatorUnknown();
    });
  }

  /** Sets the password of who has the invitation. @returns whether it was the first to do so. */
  async acceptInvitation(invitationHash: string, password: string): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      // Seconds may have passed since the invitation was looked at: hashing takes its time.
      const invitationUntil = MoreThan(this.clock.now());
      const where = { invitationHash, invitationUntil, enabled: true };
      const spent = { password, invitationHash: null, invitationUntil: null };
      const { affected } = await manager.update(OperatorRow, where, spent);
      return affected === 1;
    });
  }

  /** Sets a password where the one that was checked still counts. @returns whether it did. */
  async replacePassword(id: string, checked: string, password: string): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      const change = { password, updatedAt: this.clock.now() };
      const where = { id, password: checked, enabled: true };
      const { affected } = await manager.update(OperatorRow, where, change);
      if (affected !== 1) return false;
      await this.audit.within(manager);
      return true;
    });
  }

  async noteSignIn(id: string, at: number): Promise<void> {
    await this.database.write((manager) => manager.update(OperatorRow, { id }, { signedInAt: at }));
  }

  private async findBy(where: { id: string } | { name: string }): Promise<Operator | undefined> {
    const row = await this.database.read((manager) => manager.findOneBy(OperatorRow, where));
    return row ? toOperator(row) : undefined;
  }

  private async update(
    manager: EntityManager,
    id: string,
    change: Partial<OperatorRow>,
  ): Promise<void> {
    const row = await manager.findOne(OperatorRow, { where: { id }, ...this.database.forUpdate });
    if (!row) throw operatorUnknown();
    await manager.update(OperatorRow, { id }, { ...change, updatedAt: this.clock.now() });
  }

  private async transact(work: (manager: EntityManager) => Promise<void>): Promise<void> {
    try {
      await this.database.transaction(async (manager) => {
        await work(manager);
        await this.audit.within(manager);
      });
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      throw new HubError('operator_exists', 'There is an operator of that name', { status: 409 });
    }
  }
}

export function operatorUnknown(): HubError {
  return new HubError('operator_unknown', 'There is no such operator', { status: 404 });
}

function toOperator(row: OperatorRow): Operator {
  const { id, name, role, enabled, readsContent, password } = row;
  const { invitationUntil, signedInAt, createdAt } = row;
  const facts = { id, name, role: role as Role, enabled: Boolean(enabled), password };
  return {
    ...facts,
    readsContent: Boolean(readsContent),
    invitationUntil,
    signedInAt,
    createdAt,
  };
}
