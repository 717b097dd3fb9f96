import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { APP_CONFIG, ConfigError, type AppConfig } from '../config/app-config.js';
import { Database, LONG_WORK_LIMIT_MS } from '../database/database.js';
import { behind } from '../database/sql.js';
import { encryptedColumns, secretLocation, type EncryptedColumn } from './encrypted-columns.js';
import { SecretBox } from './secret-box.js';

/** Rows that one transaction rewrites. */
const BATCH = 200;

/** What a rotation did to one column. */
export interface RotatedColumn {
  table: string;
  column: string;
  /** Values that are under the first key now and were not before. */
  rewritten: number;
  /** Values that no key of `MASTER_KEYS` opens; they stay as they are. */
  unreadable: number;
}

type Counts = Pick<RotatedColumn, 'rewritten' | 'unreadable'>;

type Row = Record<string, string>;

/**
 * Brings every stored secret under the first of `MASTER_KEYS`, plaintext of earlier versions
 * included, while hubs are running: a value that changed meanwhile is left to its new writer.
 */
@Injectable()
export class SecretRotation {
  private readonly logger = new Logger(SecretRotation.name);

  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /** One value that cannot be read keeps no other from being rewritten. @throws {ConfigError} */
  async run(): Promise<RotatedColumn[]> {
    await this.refuseEmptyDatabase();
    const done: RotatedColumn[] = [];
    for (const column of this.columns()) {
      const counts = await this.rotateColumn(column);
      done.push({ table: column.table, column: column.column, ...counts });
      this.logger.log('Rotated a column', done.at(-1));
    }
    return done;
  }

  /** Without a platform it is not the database of a hub: the settings name another one. */
  private async refuseEmptyDatabase(): Promise<void> {
    const [row] = await this.database.read((manager) =>
      manager.query('SELECT COUNT(*) AS platforms FROM component'),
    );
    if (Number(row.platforms) > 0) return;
    throw new ConfigError(['  DATABASE_URL: this database has no third-party platform in it']);
  }

  private columns(): EncryptedColumn[] {
    const kept = this.config.legacyTicketPlaintext ? encryptedColumns.ticket : undefined;
    return Object.values(encryptedColumns).filter((column) => column !== kept);
  }

  private async rotateColumn(column: EncryptedColumn): Promise<Counts> {
    const total: Counts = { rewritten: 0, unreadable: 0 };
    let after: Row | undefined;
    for (;;) {
      const rows = await this.nextRows(column, after);
      if (rows.length === 0) return total;
      const { rewritten, unreadable } = await this.rewrite(column, rows);
      total.rewritten += rewritten;
      total.unreadable += unreadable;
      after = rows.at(-1);
    }
  }

  private nextRows({ table, column, identity }: EncryptedColumn, after?: Row): Promise<Row[]> {
    const prefix = this.box.currentPrefix;
    const key = identity.join(', ');
    const { condition, values } = behind(identity, after);
    return this.database.read(
      (manager) =>
        manager.query(
          `SELECT ${key}, ${column} AS value FROM ${table}
         WHERE ${column} IS NOT NULL AND SUBSTR(${column}, 1, ${prefix.length}) <> ? AND ${condition}
         ORDER BY ${key} LIMIT ${BATCH}`,
          [prefix, ...values],
        ),
      LONG_WORK_LIMIT_MS,
    );
  }

  private rewrite({ table, column, identity }: EncryptedColumn, rows: Row[]): Promise<Counts> {
    const where = identity.map((name) => `${name} = ?`).join(' AND ');
    // The old value is part of the condition: what somebody else has just written stays.
    const statement = `UPDATE ${table} SET ${column} = ? WHERE ${where} AND ${column} = ?`;
    return this.database.transaction(async (manager) => {
      const counts: Counts = { rewritten: 0, unreadable: 0 };
      for (const row of rows) {
        const ids = identity.map((name) => String(row[name]));
        const stored = String(row.value);
        const location = secretLocation({ table, column, identity }, ...ids);
        const secret = this.box.open(stored, location);
        if (secret.problem) {
          counts.unreadable += 1;
          continue;
        }
        const sealed = this.box.seal(secret.reveal(), location);
        counts.rewritten += await affectedBy(manager, statement, [sealed, ...ids, stored]);
      }
      return counts;
    }, LONG_WORK_LIMIT_MS);
  }
}

/** Rows that a raw statement changed, in the transaction of `manager`. */
async function affectedBy(
  manager: EntityManager,
  statement: string,
  parameters: string[],
): Promise<number> {
  const result = await manager.queryRunner?.query(statement, parameters, true);
  return result?.affected ?? 0;
}
