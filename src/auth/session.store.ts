import { Injectable } from '@nestjs/common';
import { LessThan, MoreThan, Not } from 'typeorm';
import { HubError } from '../common/hub-error.js';
import { Database } from '../database/database.js';
import { DAY_MS } from '../common/times.js';
import { AuditService } from './audit.service.js';
import { SessionRow } from './session.entity.js';
import type { OpenedBy, Session } from './session.js';

/** Rows of `admin_session`. */
@Injectable()
export class SessionStore {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditService,
  ) {}

  async find(hash: string): Promise<Session | undefined> {
    const row = await this.database.read((manager) =>
      manager.findOneBy(SessionRow, { hash, openedBy: Not('unopened') }),
    );
    return row ? toSession(row) : undefined;
  }

  /** Opened ones that have not expired, newest first. */
  async page(now: number, limit: number, before?: string): Promise<Session[]> {
    const rows = await this.database.read((manager) =>
      manager.find(SessionRow, {
        where: {
          expiresAt: MoreThan(now),
          openedBy: Not('unopened'),
          ...(before === undefined ? {} : { id: LessThan(before) }),
        },
        order: { id: 'DESC' },
        take: limit,
      }),
    );
    return rows.map(toSession);
  }

  /** Adds one, and removes those that ended a day before it began. */
  async add(session: Session, hash: string): Promise<void> {
    await this.database.transaction(async (manager) => {
      await manager.delete(SessionRow, { expiresAt: LessThan(session.createdAt - DAY_MS) });
      await manager.insert(SessionRow, { ...session, hash });
      await this.audit.within(manager);
    });
  }

  /** The link that has this hash, and that nobody has followed. */
  async findLink(hash: string, now: number): Promise<Session | undefined> {
    const row = await this.database.read((manager) =>
      manager.findOneBy(SessionRow, { hash, openedBy: 'unopened', expiresAt: MoreThan(now) }),
    );
    return row ? toSession(row) : undefined;
  }

  /** Makes a link the session that it opens. @returns whether this was the first to follow it. */
  async openLink(linkHash: string, session: Session, hash: string): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      const where = { hash: linkHash, openedBy: 'unopened' };
      const { affected } = await manager.update(SessionRow, where, { ...session, hash });
      if (affected !== 1) return false;
      await this.audit.within(manager);
      return true;
    });
  }

  async noteUse(id: string, at: number): Promise<void> {
    await this.database.write((manager) => manager.update(SessionRow, { id }, { lastSeenAt: at }));
  }

  async confirm(id: string, at: number): Promise<void> {
    await this.database.transaction(async (manager) => {
      await manager.update(SessionRow, { id }, { confirmedAt: at });
      await this.audit.within(manager);
    });
  }

  /** Ties a session to another credential of its owner's. */
  async rebind(id: string, credential: string, at: number): Promise<void> {
    await this.database.write((manager) =>
      manager.update(SessionRow, { id }, { credential, confirmedAt: at }),
    );
  }

  /** Ties all sessions of an operator to no credential: they end, for good. */
  async unbindAllOf(operatorId: string): Promise<void> {
    await this.database.write((manager) =>
      manager.update(SessionRow, { operatorId }, { credential: '' }),
    );
  }

  /** @throws {HubError} 404 `session_unknown` */
  async remove(id: string): Promise<void> {
    await this.database.transaction(async (manager) => {
      const { affected } = await manager.delete(SessionRow, { id });
      if (affected !== 1) {
        throw new HubError('session_unknown', 'There is no such session', { status: 404 });
      }
      await this.audit.within(manager);
    });
  }
}

function toSession(row: SessionRow): Session {
  const { hash: _, ...session } = row;
  return { ...session, openedBy: session.openedBy as OpenedBy };
}
