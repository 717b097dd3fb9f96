import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import { freePort, kill, start, untilReady } from './processes.mjs';
import { newPush } from './pushes.mjs';
import { ADMIN_TOKEN, COMPONENT, dataFolder, projectFile, TOKEN_PATH } from './settings.mjs';

/** Key of the hub's secrets at rest; an obvious fake. */
export const MASTER_KEY = `b1:${Buffer.from('fake-master-key-of-benchmark-32b').toString('base64')}`;
const COUNT = `SELECT COUNT(*) AS pushes FROM callback_event
  WHERE component_appid = ? AND info_type = 'component_verify_ticket' AND outcome = 'success'`;

/** A database that the benchmark can look into when the hub is gone. */
export function sqliteDatabase() {
  const path = join(dataFolder(), 'hub.sqlite');
  const remove = () => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  };
  remove();
  return {
    url: `sqlite:${path}`,
    countPushes: async () => {
      const database = new Libsql(path);
      try {
        return database.prepare(COUNT).get(COMPONENT.appid).pushes;
      } finally {
        database.close();
      }
    },
    remove,
  };
}

/** The same on a throw-away server. */
export function mysqlDatabase(mysql) {
  return {
    url: mysql.url,
    countPushes: async () => Number((await mysql.query(COUNT, [COMPONENT.appid]))[0].pushes),
    remove: () => {},
  };
}

/** The hub as in production: `node dist/main.js`, settings by environment, log lines to a file. */
export class Hub {
  /**
   * Starts one, gives it a first ticket and reads the token that it gets for it.
   * @param nodeOptions for profiling, such as `--cpu-prof`; it is written at SIGTERM
   */
  static async start(name, database, wechat, nodeOptions = []) {
    const port = await freePort();
    const args = [...nodeOptions, projectFile('dist/main.js')];
    const env = hubEnvironment(port, database.url, wechat.url);
    const server = start({ name, file: process.execPath, args, env });
    const hub = new Hub(server, port, database);
    await untilReady(server, () => hub.get('/health/live'));
    await hub.push(wechat.buildTicketPush(COMPONENT.appid));
    hub.token = (await hub.get(TOKEN_PATH)).component_access_token;
    return hub;
  }

  /** Pushes that were answered `success`. */
  answered = 0;

  constructor(server, port, database) {
    this.server = server;
    this.port = port;
    this.database = database;
  }

  /** Sends one push and expects `success`. */
  async push({ path, headers, body }) {
    const answer = await fetch(this.#url(path), { method: 'POST', headers, body });
    const text = await answer.text();
    if (answer.status !== 200 || text !== 'success') throw new Error(`The hub answered ${text}`);
    this.answered += 1;
  }

  async get(path) {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const answer = await fetch(this.#url(path), { headers });
    if (!answer.ok) throw new Error(`${path} answered ${await answer.text()}`);
    return answer.json();
  }

  /**
   * Whether all that was answered is stored: the newest ticket by the hub's own account, then,
   * after the hub was ended as by a crash, the number of pushes by the database's.
   */
  async proveStored() {
    const last = newPush(Math.floor(Date.now() / 1000) + 1);
    await this.push(last);
    const row = await this.get(`/admin/tickets/${COMPONENT.appid}?reveal=true`);
    const history = await this.get(`/admin/tickets/${COMPONENT.appid}/history?limit=1`);
    await kill(this.server);
    const stored = await this.database.countPushes();
    return {
      answered: this.answered,
      stored,
      newest: row.componentVerifyTicket === last.ticket && history.pushes.length === 1,
      errors: errorLines(this.server.log),
    };
  }

  #url(path) {
    return `http://127.0.0.1:${this.port}${path}`;
  }
}

/** Environment of a hub under measurement. */
export function hubEnvironment(port, databaseUrl, wechatUrl) {
  return {
    HOST: '127.0.0.1',
    PORT: String(port),
    DATABASE_URL: databaseUrl,
    ADMIN_TOKEN,
    MASTER_KEYS: MASTER_KEY,
    WECHAT_API_BASE_URL: wechatUrl,
    WECHAT_COMPONENT_APPID: COMPONENT.appid,
    WECHAT_COMPONENT_APPSECRET: COMPONENT.appsecret,
    WECHAT_COMPONENT_TOKEN: COMPONENT.token,
    WECHAT_COMPONENT_ENCODING_AES_KEY: COMPONENT.encodingAesKey,
  };
}

function errorLines(log) {
  const lines = readFileSync(log, 'utf8').split('\n');
  return lines.filter((line) => /"level":"(warn|error|fatal)"/.test(line)).length;
}
