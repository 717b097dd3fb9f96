import { createPool } from 'mysql2/promise';

/** An empty database on the throw-away server, so that no part meets what another one left. */
export async function newDatabase(mysql, name) {
  await mysql.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  const url = mysql.url.replace(/[^/]*$/, name);
  const pool = createPool({ uri: url, connectionLimit: 20 });
  return {
    url,
    pool,
    query: async (sql, values) => (await pool.query(sql, values))[0],
    drop: async () => {
      await pool.end();
      await mysql.query(`DROP DATABASE ${name}`);
    },
  };
}

/** Until `work` is done commits are not synced one by one: filling a table need not be durable. */
export async function withoutSync(mysql, work) {
  const { flushAtCommit } = await mysql.durability();
  await mysql.query('SET GLOBAL innodb_flush_log_at_trx_commit = 0');
  try {
    return await work();
  } finally {
    await mysql.query(`SET GLOBAL innodb_flush_log_at_trx_commit = ${Number(flushAtCommit)}`);
  }
}
