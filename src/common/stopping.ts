import { setMaxListeners } from 'node:events';
import { Injectable } from '@nestjs/common';

/** Longest that a stop may take once it has begun, in milliseconds: orchestrators wait for 10 s. */
export const STOP_LIMIT_MS = 9500;

/**
 * Whether this process stops, in two steps. It is announced first, for those who choose whom to
 * ask, while every request is still served. Then it begins, before the application is closed:
 * closing finishes what is under way first, and with requests coming on that would never be done.
 */
@Injectable()
export class Stopping {
  private readonly beginning = new AbortController();
  private isAnnounced = false;

  constructor() {
    // Any number of waits may end with it.
    setMaxListeners(0, this.signal);
  }

  /** Whether this hub will stop, or does. */
  get announced(): boolean {
    return this.isAnnounced || this.begun;
  }

  get begun(): boolean {
    return this.signal.aborted;
  }

  /** Aborted when the stop begins: for waits that are not worth a stop. */
  get signal(): AbortSignal {
    return this.beginning.signal;
  }

  /** From now on readiness says no. */
  announce(): void {
    this.isAnnounced = true;
  }

  /** From now on requests are refused. */
  begin(): void {
    this.beginning.abort();
  }
}
