import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { eventually } from './eventually.js';
import type { ComponentSettings } from '../../simulator/fake-component.js';
import { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { createTestDatabase, type DatabaseKind, type TestDatabase } from './databases.js';
import { COMPONENT, hubEnvironment, nextPlatformAppid } from './fake-settings.js';
import { HubProcess } from './hub-process.js';

/** Path of the exchange, for faults, counts and releases. */
export const EXCHANGE_PATH = '/cgi-bin/component/api_component_token';
/** The facts of a token's row that no route shows. */
export interface TokenRow {
  generation: number;
  leaseOwner: string | null;
  attempts: number;
  lastError: string | null;
}

/** Several hubs on one MySQL database and one fake WeChat, as when a platform outgrows a host. */
export class ProcessFleet {
  readonly hubs: HubProcess[] = [];
  private readonly connections: Connection[] = [];

  private constructor(
    readonly database: TestDatabase,
    readonly simulator: WechatSimulator,
    /** For what a test must bring about or see beside the hubs. */
    readonly sql: Connection,
  ) {}

  /** Starts `count` hubs at once. */
  static async start(kind: DatabaseKind, count: number): Promise<ProcessFleet> {
    const database = await createTestDatabase(kind);
    const simulator = await WechatSimulator.start({ components: [COMPONENT] });
    const sql = await createConnection({ uri: database.url });
    const fleet = new ProcessFleet(database, simulator, sql);
    const starts = await Promise.allSettled(Array.from({ length: count }, () => fleet.addHub()));
    const failed = starts.find((start) => start.status === 'rejected');
    if (!failed) return fleet;
    await fleet.close();
    throw failed.reason;
  }

  /** Starts one more hub. */
  async addHub(env: Record<string, string> = {}): Promise<HubProcess> {
    const hub = await HubProcess.start(
      hubEnvironment({
        DATABASE_URL: this.database.url,
        WECHAT_API_BASE_URL: this.simulator.url,
        ...env,
      }),
    );
    this.hubs.push(hub);
    return hub;
  }

  /** A further connection, for a transaction that stays open; it ends with the fleet at the latest. */
  async connect(): Promise<Connection> {
    const connection = await createConnection({ uri: this.database.url });
    this.connections.push(connection);
    return connection;
  }

  /** The `index`-th hub that was started; of hubs started at once the order says nothing. */
  hub(index: number): HubProcess {
    const hub = this.hubs[index];
    if (!hub) throw new Error(`There is no hub ${index}`);
    return hub;
  }

  /** Registers one more platform at WeChat and, through one hub, at all of them. */
  async addComponent(through: HubProcess): Promise<ComponentSettings> {
    const appid = nextPlatformAppid();
    const settings: ComponentSettings = { ...COMPONENT, appid, appsecret: `fake-secret-${appid}` };
    this.simulator.addComponent(settings);
    const added = await through.hub.post('/admin/components', {
      componentAppId: appid,
      appSecret: settings.appsecret,
      token: settings.token,
      encodingAesKey: settings.encodingAesKey,
    });
    if (added.status !== 201) throw new Error(`Adding a platform answered ${added.text}`);
    return settings;
  }

  /** Pushes a first ticket to one hub and resolves with the first token. */
  async prime(appid: string, through: HubProcess, createTime?: number): Promise<string> {
    this.simulator.updateComponent(appid, { pushUrl: eventsUrlOf(through, appid) });
    await this.simulator.pushTicket(appid, createTime === undefined ? {} : { createTime });
    const { json, text } = await through.hub.accessToken(appid);
    if (!json?.component_access_token) throw new Error(`The first token was not given: ${text}`);
    return json.component_access_token as string;
  }

  /** Makes the hubs' token one that is due but valid, or one that has expired. */
  async age(appid: string, to: 'due' | 'expired'): Promise<void> {
    const past = Date.now() - 1000;
    const columns = to === 'due' ? 'refresh_at = ?' : 'refresh_at = ?, expires_at = ?';
    const values = to === 'due' ? [past] : [past, past];
    await this.sql.execute(
      `UPDATE component_access_token SET ${columns} WHERE component_appid = ?`,
      [...values, appid],
    );
  }

  /** The token's row as it is in the database. */
  async row(appid: string): Promise<TokenRow> {
    const [rows] = await this.sql.execute<RowDataPacket[]>(
      'SELECT generation, lease_owner AS leaseOwner, attempts, last_error AS lastError ' +
        'FROM component_access_token WHERE component_appid = ?',
      [appid],
    );
    return rows[0] as unknown as TokenRow;
  }

  /** How often WeChat was asked for a token since the last `clearCalls()`. */
  exchanges(): number {
    return this.simulator.callSummary().paths[EXCHANGE_PATH]?.arrived ?? 0;
  }

  /** Whether WeChat takes the token for a call. */
  async accepts(token: string): Promise<boolean> {
    const query = new URLSearchParams({ component_access_token: token });
    const answer = await fetch(`${this.simulator.url}/cgi-bin/get_api_domain_ip?${query}`);
    return 'ip_list' in ((await answer.json()) as object);
  }

  async close(): Promise<void> {
    await Promise.all(this.hubs.map((hub) => hub.kill()));
    await this.simulator.stop();
    for (const connection of [this.sql, ...this.connections]) connection.destroy();
    await this.database.drop();
  }
}

/** The 授权事件接收URL of a platform at one hub. */
export function eventsUrlOf({ hub }: HubProcess, appid: string): string {
  return `${hub.url}/callback/${appid}/events`;
}

/** The first line of a hub's log, from now on, that has the text. */
export function logLine({ child }: HubProcess, text: string): Promise<string> {
  return new Promise((resolve) => {
    let rest = '';
    const read = (chunk: Buffer): void => {
      const lines = (rest + chunk.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      const found = lines.find((line) => line.includes(text));
      if (found === undefined) return;
      child.stdout?.off('data', read);
      resolve(found);
    };
    child.stdout?.on('data', read);
  });
}

/** Milliseconds since `started`, whole. */
export function since(started: number): number {
  return Math.round(performance.now() - started);
}

/** Resolves when no delivery waits. */
export async function allDelivered(sql: Connection, limitMs?: number): Promise<void> {
  const nonePending = async (): Promise<true | undefined> => {
    const [rows] = await sql.query<RowDataPacket[]>(
      "SELECT COUNT(*) AS pending FROM delivery WHERE status = 'pending'",
    );
    return Number(rows[0]?.pending) === 0 || undefined;
  };
  await eventually('all deliveries', nonePending, limitMs);
}
