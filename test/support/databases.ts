import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import type { DataSource } from 'typeorm';
import { inject } from 'vitest';
import { parseConfig } from '../../src/config/app-config.js';
import { dataSourceOptions } from '../../src/database/data-source-options.js';
import { openDataSource } from '../../src/database/open-data-source.js';
import { hubEnvironment } from './fake-settings.js';

export type DatabaseKind = 'sqlite' | 'mysql';

/** A database of its own for one test file or app. */
export interface TestDatabase {
  kind: DatabaseKind;
  /** Value for `DATABASE_URL`. */
  url: string;
  drop(): Promise<void>;
}

/** The databases that this run covers: for `describe.each(databaseKinds())`. */
export function databaseKinds(): DatabaseKind[] {
  return inject('mysqlUrl') === '' ? ['sqlite'] : ['sqlite', 'mysql'];
}

/** MySQL where there is one, for tests of several processes; empty otherwise. */
export function mysqlOnly(): DatabaseKind[] {
  return databaseKinds().filter((kind) => kind === 'mysql');
}

/** Makes an empty database. */
export async function createTestDatabase(kind: DatabaseKind): Promise<TestDatabase> {
  return kind === 'sqlite' ? createSqlite() : createMysql(inject('mysqlUrl'));
}

/** Connects to one as a hub does, and brings its schema up to date. */
export function openTestDatabase({ url }: TestDatabase): Promise<DataSource> {
  return openDataSource(dataSourceOptions(parseConfig(hubEnvironment({ DATABASE_URL: url }))));
}

function createSqlite(): TestDatabase {
  const folder = mkdtempSync(join(tmpdir(), 'hub-sqlite-'));
  return {
    kind: 'sqlite',
    url: `sqlite:${join(folder, 'hub.sqlite')}`,
    drop: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Makes an empty database on a MySQL server. */
export async function createMysql(serverUrl: string): Promise<TestDatabase> {
  const name = `hub_test_${randomBytes(6).toString('hex')}`;
  await execute(serverUrl, `CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  return {
    kind: 'mysql',
    url: `${serverUrl}/${name}`,
    drop: () => execute(serverUrl, `DROP DATABASE IF EXISTS ${name}`),
  };
}

async function execute(serverUrl: string, statement: string): Promise<void> {
  const connection = await createConnection({ uri: serverUrl });
  try {
    await connection.query(statement);
  } finally {
    await connection.end();
  }
}
