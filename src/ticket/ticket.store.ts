import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { ComponentVerifyTicket } from './component-verify-ticket.entity.js';
import type { Ticket } from './ticket.js';
import { isoTime } from '../common/times.js';

const COLUMNS = 'Cvt_AppId, Cvt_CreateTime, Cvt_InfoType, Cvt_ComponentVerifyTicket, Cvt_DateTime';

/**
 * One statement, so that no other push can come between the comparison and the write. Of two
 * tickets of the same second the later arrival stays.
 */
const UPSERT = {
  sqlite: `INSERT INTO tb_ComponentVerifyTicket (${COLUMNS}) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (Cvt_AppId) DO UPDATE SET
      Cvt_InfoType = excluded.Cvt_InfoType,
      Cvt_ComponentVerifyTicket = excluded.Cvt_ComponentVerifyTicket,
      Cvt_DateTime = excluded.Cvt_DateTime,
      Cvt_CreateTime = excluded.Cvt_CreateTime
    WHERE excluded.Cvt_CreateTime >= tb_ComponentVerifyTicket.Cvt_CreateTime`,
  // MySQL assigns from left to right: the column that decides must come last.
  mysql: `INSERT INTO tb_ComponentVerifyTicket (${COLUMNS}) VALUES (?, ?, ?, ?, ?)
    ON DUPLICATE KEY UPDATE
      Cvt_InfoType = IF(VALUES(Cvt_CreateTime) >= Cvt_CreateTime, VALUES(Cvt_InfoType), Cvt_InfoType),
      Cvt_ComponentVerifyTicket = IF(VALUES(Cvt_CreateTime) >= Cvt_CreateTime,
        VALUES(Cvt_ComponentVerifyTicket), Cvt_ComponentVerifyTicket),
      Cvt_DateTime = IF(VALUES(Cvt_CreateTime) >= Cvt_CreateTime, VALUES(Cvt_DateTime), Cvt_DateTime),
      Cvt_CreateTime = GREATEST(VALUES(Cvt_CreateTime), Cvt_CreateTime)`,
};

/** Rows of `tb_ComponentVerifyTicket`. */
@Injectable()
export class TicketStore {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /** Keeps a ticket unless the row has a newer one. */
  async keep(ticket: Ticket, manager: EntityManager): Promise<void> {
    const plain = ticket.ticket.reveal();
    await manager.query(UPSERT[this.database.dialect], [
      ticket.appId,
      ticket.createTime,
      ticket.infoType,
      this.config.legacyTicketPlaintext ? plain : this.box.seal(plain, location(ticket.appId)),
      // TypeORM's format on SQLite, and one that MySQL reads.
      isoTime(ticket.receivedAt).replace('T', ' ').replace('Z', ''),
    ]);
  }

  /** Whether a third-party platform has a ticket, readable or not. */
  async has(appId: string, manager: EntityManager): Promise<boolean> {
    const rows: unknown[] = await manager.query(
      'SELECT 1 FROM tb_ComponentVerifyTicket WHERE Cvt_AppId = ?',
      [appId],
    );
    return rows.length > 0;
  }

  /** The newest ticket of a third-party platform. */
  async latest(appId: string): Promise<Ticket | undefined> {
    const row = await this.database.read((manager) =>
      manager.findOneBy(ComponentVerifyTicket, { appId }),
    );
    return row ? this.toTicket(row) : undefined;
  }

  /** The newest ticket of every third-party platform. */
  async all(): Promise<Ticket[]> {
    const rows = await this.database.read((manager) =>
      manager.find(ComponentVerifyTicket, { order: { id: 'ASC' } }),
    );
    return rows.map((row) => this.toTicket(row));
  }

  private toTicket(row: ComponentVerifyTicket): Ticket {
    return {
      appId: row.appId,
      createTime: row.createTime,
      infoType: row.infoType,
      ticket: this.box.open(row.componentVerifyTicket, location(row.appId)),
      receivedAt: row.dateTime.getTime(),
    };
  }
}

function location(appId: string): string {
  return secretLocation(encryptedColumns.ticket, appId);
}
