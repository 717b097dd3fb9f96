import { mkdirSync, rmSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { findMysqlBinary, startMysqlServer } from './mysql-server.js';
import { LOG_FOLDER } from './test-logs.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a server for the MySQL half of the tests, without a database name; '' if none. */
    mysqlUrl: string;
  }
}

/** Starts what all test files share; returns what ends it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  rmSync(LOG_FOLDER, { recursive: true, force: true });
  mkdirSync(LOG_FOLDER, { recursive: true });
  const given = process.env.TEST_MYSQL_URL;
  if (given) {
    project.provide('mysqlUrl', given.replace(/\/+$/, ''));
    return async () => undefined;
  }
  const binary = findMysqlBinary();
  if (!binary) {
    const missing = 'no mariadbd or mysqld on this machine and TEST_MYSQL_URL is not set';
    if (process.env.REQUIRE_MYSQL === '1') throw new Error(`REQUIRE_MYSQL=1, but ${missing}`);
    console.log(`MySQL half of the tests skipped: ${missing}`);
    project.provide('mysqlUrl', '');
    return async () => undefined;
  }
  const server = await startMysqlServer(binary);
  project.provide('mysqlUrl', server.url);
  return () => server.stop();
}
