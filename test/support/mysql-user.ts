import type { Connection } from 'mysql2/promise';
import type { TestDatabase } from './databases.js';

/** URL of a database for a user without any special right, made where it is not there. */
export async function mysqlServerUrlAs(
  user: string,
  database: TestDatabase,
  admin: Connection,
): Promise<string> {
  const url = new URL(database.url);
  const account = `'${user}'@'%'`;
  await admin.query(`CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY 'fake-password'`);
  await admin.query(`GRANT ALL ON ${url.pathname.slice(1)}.* TO ${account}`);
  url.username = user;
  url.password = 'fake-password';
  return url.href;
}
