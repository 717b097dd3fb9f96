import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Database } from '../database/database.js';
import { Setting } from './setting.entity.js';

/** Rows of `setting`. */
@Injectable()
export class SettingStore {
  constructor(private readonly database: Database) {}

  async find(name: string): Promise<string | undefined> {
    const row = await this.database.read((manager) => manager.findOneBy(Setting, { name }));
    return row?.value;
  }

  /** Writes one that is not there yet. @returns the value that counts on all hosts. */
  async addIfMissing(name: string, value: string): Promise<string> {
    await this.database.transaction((manager) =>
      manager
        .createQueryBuilder()
        .insert()
        .into(Setting)
        .values({ name, value })
        .orIgnore()
        .execute(),
    );
    return (await this.find(name)) ?? value;
  }

  async put(name: string, value: string): Promise<void> {
    await this.database.write((manager) => manager.upsert(Setting, { name, value }, ['name']));
  }

  /** Removes one; its value, of those who ask at once for one of them. */
  async take(name: string, manager: EntityManager): Promise<string | undefined> {
    const row = await manager.findOne(Setting, { where: { name }, ...this.database.forUpdate });
    if (row) await manager.delete(Setting, { name });
    return row?.value;
  }
}
