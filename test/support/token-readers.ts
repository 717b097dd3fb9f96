import { setTimeout as delay } from 'node:timers/promises';
import type { HubClient } from './hub-client.js';

const PAUSE_MS = 100;

/** Services that read the token, one at each of these hubs, until they are stopped. */
export class TokenReaders {
  private readonly counts = new Map<number | string, number>();
  private stopped = false;
  private readonly running: Promise<unknown>;

  constructor(hubs: HubClient[]) {
    this.running = Promise.all(hubs.map((hub) => this.read(hub)));
  }

  /** Resolves with the number of reads by status, or by the error of those without an answer. */
  async end(): Promise<Map<number | string, number>> {
    this.stopped = true;
    await this.running;
    return this.counts;
  }

  private async read(hub: HubClient): Promise<void> {
    while (!this.stopped) {
      const result = await hub.accessToken().then(
        ({ status }) => status,
        (error: Error) => error.message,
      );
      this.counts.set(result, (this.counts.get(result) ?? 0) + 1);
      await delay(PAUSE_MS);
    }
  }
}
