import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { isoTime, millisecondsSince } from '../common/times.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { HostStore } from '../database/host.store.js';
import {
  replicationFacts,
  schemaFacts,
  serverClock,
  serverFacts,
} from '../database/database-facts.js';
import { fillProbe, removeProbe } from '../database/write-probe.js';
import { encryptedColumns } from '../secrets/encrypted-columns.js';
import { keysInUse } from '../secrets/keys-in-use.js';
import { SecretBox } from '../secrets/secret-box.js';
import { finding, problemOf, type Finding } from './findings.js';
import { Surroundings } from './surroundings.js';
import {
  databaseClockVerdict,
  replicationVerdict,
  schemaVerdict,
  serverVerdict,
} from './verdicts.js';

/** Characters that the database is given to write: one row. */
const PROBE_SIZE = 1;
/** Longest that a write or read takes on a database that is well, in milliseconds. */
const SLOW_MS = 500;
/** Longest look through the encrypted columns, in milliseconds. */
const KEYS_LIMIT_MS = 3500;

/** What the database shows, and what is encrypted in it. */
@Injectable()
export class DatabaseChecks {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly surroundings: Surroundings,
    private readonly database: Database,
    private readonly hosts: HostStore,
    private readonly box: SecretBox,
    private readonly clock: Clock,
  ) {}

  /** That it can be written and read; what is written is removed. */
  async works(): Promise<Finding> {
    const { database: message } = this.surroundings;
    if (message !== undefined) return finding('database_unreachable', { message });
    try {
      const started = performance.now();
      await this.database.transaction(async (manager) => {
        await removeProbe(await fillProbe(PROBE_SIZE, manager), manager);
      });
      const write = millisecondsSince(started);
      const written = performance.now();
      // After a write that failed, this writes as much again.
      await this.database.check();
      const read = millisecondsSince(written);
      const slow = Math.max(write, read) > SLOW_MS;
      return finding(slow ? 'database_slow' : 'database_ok', { write, read });
    } catch (error) {
      return finding('database_down', { message: problemOf(error) });
    }
  }

  async server(): Promise<Finding> {
    return serverVerdict(await serverFacts(this.database));
  }

  async schema(): Promise<Finding> {
    return schemaVerdict(await schemaFacts(this.database));
  }

  async replication(): Promise<Finding> {
    return replicationVerdict(await replicationFacts(this.database));
  }

  async clockOfDatabase(): Promise<Finding> {
    return databaseClockVerdict(await serverClock(this.database), this.clock.now());
  }

  /** A host that was killed is among them for some minutes. */
  async hostsTogether(): Promise<Finding> {
    const running = await this.hosts.running();
    const count = running.length;
    const lines = running.map(({ name, pid, version, lastSeenAt }) =>
      [name, `pid ${pid}`, version ?? '?', isoTime(lastSeenAt)].join(' · '),
    );
    if (count > 1 && this.database.dialect === 'sqlite') {
      return finding('hosts_on_sqlite', { count }, lines);
    }
    const versions = new Set(running.map(({ version }) => version)).size;
    return versions > 1
      ? finding('hosts_differ', { count: versions }, lines)
      : finding('hosts_ok', { count });
  }

  /** By every row, unless there are too many of them. */
  async keys(): Promise<Finding> {
    const { keys: message } = this.surroundings;
    if (message !== undefined) return finding('keys_unusable', { message });
    const { columns, unfinished } = await keysInUse(this.database, KEYS_LIMIT_MS);
    const missing = new Map<string, string[]>();
    for (const { column, keyIds } of columns) {
      for (const id of keyIds.filter((one) => !this.box.hasKey(one))) {
        missing.set(id, [...(missing.get(id) ?? []), column]);
      }
    }
    if (missing.size > 0) {
      const lines = [...missing].map(([id, places]) => `${id}: ${places.join(', ')}`);
      return finding('keys_missing', { count: missing.size }, lines);
    }
    const { table, column } = encryptedColumns.ticket;
    const wanted = this.config.legacyTicketPlaintext ? `${table}.${column}` : undefined;
    const plain = columns.filter((one) => one.plain && one.column !== wanted);
    if (plain.length > 0) {
      const names = plain.map((one) => one.column);
      return finding('keys_plain', { count: plain.length }, names);
    }
    return unfinished.length > 0
      ? finding('keys_unfinished', { count: unfinished.length }, unfinished)
      : finding('keys_ok');
  }
}
