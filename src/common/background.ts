import { Injectable, Logger } from '@nestjs/common';
import { SingleFlight } from './single-flight.js';
import { Stopping } from './stopping.js';
import { within } from './time-limit.js';

/** Longest that a stop waits for work that is under way, in milliseconds. */
const DRAIN_LIMIT_MS = 4000;
/** … and then for what was cut to give back what it has leased. */
const GIVE_BACK_LIMIT_MS = 1000;

/** Runs the work of timers; what triggers it is a decorator of the method that calls this. */
@Injectable()
export class Background {
  private readonly turns = new SingleFlight<void>();

  constructor(private readonly stopping: Stopping) {}

  /**
   * One turn of a timer: joins the one of its name that is under way, and does not begin when the
   * hub stops. Never rejects: a failure is logged, and the next turn tries again.
   * @param failure what could not be done, and when it is tried again.
   * @param isReported whether something else reports an error, so that a line for debugging is enough.
   */
  async tick(
    name: string,
    failure: string,
    work: () => Promise<unknown>,
    isReported: (error: unknown) => boolean = () => false,
  ): Promise<void> {
    if (this.stopping.begun) return;
    await this.turns.run(name, async () => {
      try {
        await work();
      } catch (error) {
        new Logger(name)[isReported(error) ? 'debug' : 'warn'](failure, error);
      }
    });
  }
}

/** Work that its caller does not wait for; a stop does. */
export class WorkUnderWay {
  private readonly works = new Set<Promise<unknown>>();

  add(work: Promise<unknown>): void {
    const ended = (): boolean => this.works.delete(work);
    this.works.add(work);
    void work.then(ended, ended);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.works.size > 0) await Promise.allSettled(this.works);
  }
}

/**
 * Ends work that has leased something: waits for 4 s until it is done, then cuts it and waits for
 * 1 s until what it has leased is given back. Without a database the leases end by themselves.
 */
export async function drain(
  idle: () => Promise<unknown>,
  cut: () => void,
  givenBack = idle,
): Promise<void> {
  await within<unknown>(DRAIN_LIMIT_MS, idle(), cut);
  await within<unknown>(GIVE_BACK_LIMIT_MS, givenBack(), () => undefined);
}
