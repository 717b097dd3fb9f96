import { DataSource, type DataSourceOptions } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { applyLongTextColumns } from '../../src/database/column-types.js';
import { migrations } from '../../src/database/migrations/index.js';
import { openDataSource } from '../../src/database/open-data-source.js';
import { expectSuccess, storedState } from '../support/callback-state.js';
import {
  createTestDatabase,
  databaseKinds,
  mysqlOnly,
  openTestDatabase,
  type TestDatabase,
} from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

/** Columns of the table that other programs may read, as the legacy system has them. */
const LEGACY_COLUMNS = [
  'Cvt_Id',
  'Cvt_AppId',
  'Cvt_CreateTime',
  'Cvt_InfoType',
  'Cvt_ComponentVerifyTicket',
  'Cvt_DateTime',
];

/** Names of all tables of this database, but for the one in which SQLite counts. */
async function tableNames(source: DataSource): Promise<string[]> {
  const rows: { name: string }[] = await source.query(
    source.options.type === 'mysql'
      ? 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()'
      : "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'sqlite_sequence'",
  );
  return rows.map(({ name }) => name).toSorted();
}

/** Statements that would make the schema what the entities say. */
async function pendingChanges(source: DataSource): Promise<string[]> {
  const reader = await schemaReader(source);
  const { upQueries } = await reader.driver.createSchemaBuilder().log();
  if (reader !== source) await reader.destroy();
  return upQueries.map(({ query }) => query);
}

/**
 * TypeORM compares with what the server writes down, and MariaDB, which stands in for MySQL in
 * tests, writes the default NULL where MySQL writes none: it is read as what it is.
 */
async function schemaReader(source: DataSource): Promise<DataSource> {
  if (source.options.type !== 'mysql') return source;
  const [{ version }] = await source.query('SELECT VERSION() AS version');
  if (!version.includes('MariaDB')) return source;
  const options = { ...source.options, type: 'mariadb' } as DataSourceOptions;
  const reader = await new DataSource(options).initialize();
  applyLongTextColumns(reader);
  return reader;
}

describe.each(databaseKinds())('the schema on %s', (kind) => {
  let test: TestApp;
  let source: DataSource;
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
    source = test.app.get(DataSource);
  });
  afterAll(() => test.close());

  it('is what the entities say, after migrating', async () => {
    expect(source.entityMetadatas.length).toBeGreaterThanOrEqual(6);
    expect(await pendingChanges(source)).toEqual([]);
  });

  it('has the indexes of some rows that the entities say, which MySQL has of all', async () => {
    const runner = source.createQueryRunner();
    let some = 0;
    for (const { tableName, indices } of source.entityMetadatas) {
      const table = await runner.getTable(tableName);
      for (const { name, where } of indices) {
        const found = table?.indices.find((index) => index.name === name);
        const wanted = kind === 'sqlite' ? where : undefined;
        expect([found?.name, found?.where || undefined]).toEqual([name, wanted]);
        some += where === undefined ? 0 : 1;
      }
    }
    await runner.release();
    expect(some).toBeGreaterThan(0);
  });

  it('would show a column that is not what its entity says', async () => {
    await source.query('ALTER TABLE audit_record ADD COLUMN nobody_knows varchar(10)');
    expect(await pendingChanges(source)).not.toEqual([]);
    await source.query('ALTER TABLE audit_record DROP COLUMN nobody_knows');
    expect(await pendingChanges(source)).toEqual([]);
  });

  it('has nothing left to migrate, and every table of an entity', async () => {
    expect(await source.showMigrations()).toBe(false);
    const entities = source.entityMetadatas.map(({ tableName }) => tableName);
    expect(await tableNames(source)).toEqual(expect.arrayContaining(entities));
  });

  it('has the legacy table column for column, one row per component', async () => {
    const runner = source.createQueryRunner();
    const table = await runner.getTable('tb_ComponentVerifyTicket');
    await runner.release();
    expect(table?.columns.map(({ name }) => name)).toEqual(LEGACY_COLUMNS);
    const unique = table?.indices.filter(({ isUnique }) => isUnique);
    expect(unique?.map(({ columnNames }) => columnNames)).toEqual([['Cvt_AppId']]);
  });

  it('is never made from the entities', () => {
    expect(source.options.synchronize).toBe(false);
    expect(source.options.migrationsRun).not.toBe(true);
  });
});

describe.each(databaseKinds())('migrations on %s', (kind) => {
  let database: TestDatabase;
  let source: DataSource;
  beforeEach(async () => {
    database = await createTestDatabase(kind);
    source = await openTestDatabase(database);
  });
  afterEach(async () => {
    await source.destroy();
    await database.drop();
  });

  it('go down to nothing and up again', async () => {
    const before = await tableNames(source);
    expect(before.length).toBeGreaterThan(6);
    for (const _ of migrations) await source.undoLastMigration();
    expect(await tableNames(source)).toEqual(['migrations']);
    await source.runMigrations();
    expect(await tableNames(source)).toEqual(before);
  });

  it('leave what is there alone when a hub starts again', async () => {
    await source.query("INSERT INTO setting (name, value) VALUES ('kept', 'yes')");
    await source.destroy();
    source = await openDataSource(source.options);
    expect(await source.query('SELECT * FROM setting')).toEqual([{ name: 'kept', value: 'yes' }]);
  });
});

describe.each(mysqlOnly())('hubs that start at once on one empty %s database', (kind) => {
  it('all come up, with the component once, one admin token and each other’s tickets', async () => {
    const database = await createTestDatabase(kind);
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const hubs = await Promise.all(
      Array.from({ length: 3 }, () => createTestApp({ database, env: { ADMIN_TOKEN: '' } })),
    ).catch(async (error: unknown) => {
      await database.drop();
      throw error;
    });
    try {
      const [first, second] = hubs as [TestApp, TestApp];
      expectSuccess(await first.hub.push(first.simulator.buildTicketPush(COMPONENT.appid)));
      expect((await storedState(second)).tickets).toHaveLength(1);
      expect((await storedState(second)).components).toHaveLength(1);
      const settings = await second.app.get(DataSource).query('SELECT name FROM setting');
      expect(settings).toEqual([{ name: 'admin_token_sha256' }]);
      const shown = stderr.mock.calls.filter(([text]) => String(text).includes('ADMIN_TOKEN is'));
      expect(shown).toHaveLength(1);
    } finally {
      stderr.mockRestore();
      await Promise.all(hubs.map((hub) => hub.close()));
      await database.drop();
    }
  });
});
