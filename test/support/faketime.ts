import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HubProcess } from './hub-process.js';

const LIBRARY = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
  .map((machine) => `/usr/lib/${machine}/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path));

const SECOND = 1000;
const HOUR = 3600 * SECOND;
/** A hub must listen so long before the hour, in milliseconds. */
const LEAST_LEFT = 2 * SECOND;

/**
 * `values` where Debian's package `faketime` is there, for `describe.each`; nothing otherwise, with
 * a line that says so, or a failure where `REQUIRE_FAKETIME=1`.
 */
export function withFaketime<T>(values: T[]): T[] {
  if (LIBRARY) return values;
  const missing = 'no libfaketime on this machine';
  if (process.env.REQUIRE_FAKETIME === '1') throw new Error(`REQUIRE_FAKETIME=1, but ${missing}`);
  console.log(`Tests of wrong clocks skipped: ${missing}`);
  return [];
}

/** A hub as a process whose clock is off, or jumps; its monotonic time is right. */
export class MistimedHub {
  private constructor(
    readonly process: HubProcess,
    private readonly folder: string,
    /** What its clock is off by, beside what the test wants, so that an hour is full soon. */
    readonly alignment: number,
  ) {}

  /**
   * Starts one whose clock is off by `offset` ms and a bit, so that it has a full hour soon.
   * @param lead milliseconds before that hour: more than it takes to start, or it is tried again.
   */
  static async start(
    env: Record<string, string>,
    offset: number,
    lead: number,
  ): Promise<MistimedHub> {
    const folder = mkdtempSync(join(tmpdir(), 'hub-faketime-'));
    for (const factor of [1, 2, 4]) {
      const alignment = HOUR - (Date.now() % HOUR) - factor * lead;
      setOffset(folder, offset + alignment);
      const faked = {
        LD_PRELOAD: LIBRARY as string,
        FAKETIME_TIMESTAMP_FILE: join(folder, 'offset'),
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        NO_FAKE_STAT: '1',
      };
      const hub = await HubProcess.start({ ...env, ...faked }, HOUR);
      const started = new MistimedHub(hub, folder, alignment);
      const left = started.untilHour;
      if (left > LEAST_LEFT && left <= factor * lead) return started;
      await hub.kill();
    }
    throw new Error('No hub listened before its hour was full');
  }

  /** Milliseconds until its clock has a full hour. */
  get untilHour(): number {
    return HOUR - ((Date.now() + this.alignment) % HOUR);
  }

  /** Its clock jumps, to be off by `offset` ms and the same bit. */
  jump(offset: number): void {
    setOffset(this.folder, offset + this.alignment);
  }

  async stop(): Promise<void> {
    await this.process.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function setOffset(folder: string, ms: number): void {
  const seconds = (ms / SECOND).toFixed(3);
  writeFileSync(join(folder, 'offset'), ms < 0 ? seconds : `+${seconds}`);
}
