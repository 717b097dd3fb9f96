import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { v4 as uuidv4 } from 'uuid';
import { Background } from '../common/background.js';
import { Clock } from '../common/clock.js';
import { MINUTE_MS } from '../common/times.js';
import type { Host } from '../database/host.entity.js';
import { HostStore } from '../database/host.store.js';

/** A start and a stop wait for a database that others hold no longer than so many milliseconds. */
const LIMIT_MS = 1000;

/** Says once a minute, in the database, that this host is there. */
@Injectable()
export class HostRecorder implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly host: Omit<Host, 'lastSeenAt'>;
  private readonly logger = new Logger(HostRecorder.name);

  constructor(
    private readonly store: HostStore,
    private readonly background: Background,
    clock: Clock,
  ) {
    this.host = {
      id: uuidv4(),
      name: hostname().slice(0, 191),
      pid: process.pid,
      version: packageVersion(),
      startedAt: clock.now(),
    };
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.beat(async () => {
      await this.store.see(this.host, LIMIT_MS);
      const gone = (await this.store.all()).filter((one) => this.isGone(one));
      await this.store.remove(
        gone.map(({ id }) => id),
        LIMIT_MS,
      );
    });
  }

  @Interval('host', MINUTE_MS)
  beat(work = () => this.store.see(this.host)): Promise<void> {
    const failure = 'This host could not say that it is there; it tries again in a minute';
    return this.background.tick('host', failure, work);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.store.remove([this.host.id], LIMIT_MS).catch((error: unknown) => {
      this.logger.debug('This host could not say that it stops', error);
    });
  }

  /** Of this machine, and without a process: it was killed. A container has the same pid again. */
  private isGone({ id, name, pid, startedAt }: Host): boolean {
    if (id === this.host.id || name !== this.host.name) return false;
    if (pid === process.pid) return startedAt < this.host.startedAt;
    try {
      return !process.kill(pid, 0);
    } catch (error) {
      // EPERM: there is one, of another user.
      return (error as NodeJS.ErrnoException).code === 'ESRCH';
    }
  }
}

/** Of the `package.json` beside the built program; null where somebody has taken it along alone. */
function packageVersion(): string | null {
  try {
    const text = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8');
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return null;
  }
}
