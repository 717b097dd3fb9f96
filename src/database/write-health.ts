import type { QueryRunner } from 'typeorm';
import { probeSize } from './write-probe.js';

/** A statement that writes, and the table that it writes to. */
const WRITE =
  /^\s*(?:INSERT|REPLACE|UPDATE|DELETE)\s(?:\s*(?:IGNORE|INTO|FROM|OR\s+\w+)\s)*\s*[`"]?(\w+)/i;
/** Writes of less differ only in a page or two of the database. */
const LEAST_BYTES = 1024;
/**
 * Time after a lock that was not given before anything but the same work can show that it is given
 * again, in milliseconds: others' locks are on single rows, and a probe meets none of them.
 */
const LOCK_REST_MS = 10_000;
const LOCK_NOT_GIVEN = 'ER_LOCK_WAIT_TIMEOUT';

/** A unit of work that could not be written because the database was not available. */
export interface FailedWrite {
  /** When, in Unix milliseconds. */
  at: number;
  /** Tables that it had written to, sorted; empty where it got no further than its beginning. */
  tables: string[];
  /** The driver's code, such as `SQLITE_FULL` or `ER_LOCK_WAIT_TIMEOUT`; empty where it has none. */
  code: string;
}

/** What a unit of work writes: which tables, and how much. */
export class WriteFootprint {
  readonly tables = new Set<string>();
  /** Characters of all values. */
  size = 0;

  /** Begins again, as the work does. */
  clear(): void {
    this.tables.clear();
    this.size = 0;
  }

  /** Follows a runner's statements until the returned function is called. */
  watch(runner: QueryRunner | undefined): () => void {
    if (!runner) return () => undefined;
    const { query } = runner;
    runner.query = ((sql: string, parameters?: unknown[], structured?: boolean) => {
      this.add(sql, parameters);
      return Reflect.apply(query, runner, [sql, parameters, structured]);
    }) as typeof query;
    return () => {
      runner.query = query;
    };
  }

  /** Adds one statement. */
  add(sql: string, parameters: unknown[] = []): void {
    const table = WRITE.exec(sql)?.[1];
    if (table === undefined) return;
    this.tables.add(table);
    for (const value of parameters) this.size += sizeOf(value);
  }
}

/**
 * Which writes have failed and are not known to work again. A failure is over when a unit of work
 * has succeeded that wrote to the same tables, and as much, or a probe that wrote more: on a full
 * disk, or beside somebody else's lock, lighter work succeeds and shows nothing.
 */
export class WriteHealth {
  /** The newest failed write, over or not. */
  last: FailedWrite | undefined;
  /** By their tables: few, because the hub has few kinds of work. */
  private readonly failing = new Map<string, Failing>();

  get isFailing(): boolean {
    return this.failing.size > 0;
  }

  /** Characters that a probe must write to stand for all that has failed. */
  get probeSize(): number {
    return Math.max(0, ...[...this.failing.values()].map(({ size }) => probeSize(size)));
  }

  failed({ tables, size }: WriteFootprint, code: string, at: number): void {
    const sorted = [...tables].toSorted();
    const key = sorted.join(' ');
    this.last = { at, tables: sorted, code };
    const before = this.failing.get(key)?.size ?? 0;
    this.failing.set(key, {
      tables: sorted,
      size: Math.max(before, size),
      restUntil: performance.now() + (code === LOCK_NOT_GIVEN ? LOCK_REST_MS : 0),
    });
  }

  succeeded({ tables, size }: WriteFootprint): void {
    for (const [key, failure] of this.failing) {
      const sameKind = failure.tables.every((table) => tables.has(table));
      if (sameKind && sizeClass(size) >= sizeClass(failure.size)) this.failing.delete(key);
    }
  }

  /** A probe that began at `begunAt`, by `performance.now()`, has written `size` characters. */
  probed(size: number, begunAt: number): void {
    for (const [key, failure] of this.failing) {
      const isLater = begunAt >= failure.restUntil;
      if (isLater && size >= probeSize(failure.size)) this.failing.delete(key);
    }
  }
}

interface Failing {
  tables: string[];
  size: number;
  /** When a probe may show something, by `performance.now()`. */
  restUntil: number;
}

/** Sizes within a factor of two are the same. */
function sizeClass(size: number): number {
  return Math.floor(Math.log2(Math.max(size, LEAST_BYTES)));
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return value.length;
  return 8;
}
