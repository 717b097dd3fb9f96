import { setTimeout as delay } from 'node:timers/promises';
import type { WechatSimulator } from '../../simulator/wechat-simulator.js';
import type { HubClient } from './hub-client.js';
import { messagePush, textFields, type MessagePush } from './message-pushes.js';

/** WeChat waits so long for an answer. */
const PATIENCE_MS = 5000;
const PAUSE_MS = 500;
/** More often than WeChat tries, so that every push is answered in the end, and none goes uncounted. */
const MOST_TRIES = 60;

/** What became of a push. */
export interface PushOutcome {
  /** `push <number>`, its text. */
  text: string;
  tries: number;
  answered: boolean;
}

/** Text messages at a steady rate to hubs in turn, each again until it is answered `success`. */
export class PushStream {
  readonly outcomes: Promise<PushOutcome>[] = [];
  /** Answers other than `success`, by `performance.now()`, and the hub that gave each. */
  readonly refusals: { at: number; hub: number; status: number }[] = [];
  /** When pushes were answered `success`. */
  readonly successes: number[] = [];
  /** By `performance.now()`. */
  readonly began = performance.now();
  private stopped = false;
  private readonly running: Promise<void>;

  constructor(
    private readonly simulator: WechatSimulator,
    private readonly hubs: HubClient[],
    perSecond: number,
  ) {
    this.running = this.run(perSecond);
  }

  /** Sends no more; resolves when all that were sent have their outcome. */
  async end(): Promise<PushOutcome[]> {
    this.stopped = true;
    await this.running;
    return Promise.all(this.outcomes);
  }

  /** Longest time without an answer `success`, in milliseconds. */
  get longestGapMs(): number {
    const sorted = this.successes.toSorted((a, b) => a - b);
    return Math.round(
      sorted.reduce((most, at, index) => Math.max(most, at - (sorted[index - 1] ?? at)), 0),
    );
  }

  private async run(perSecond: number): Promise<void> {
    while (!this.stopped) {
      const due = ((performance.now() - this.began) * perSecond) / 1000;
      while (this.outcomes.length < due) this.outcomes.push(this.push(this.outcomes.length));
      await delay(1000 / perSecond);
    }
  }

  private async push(number: number): Promise<PushOutcome> {
    const text = `push ${number}`;
    const fields = textFields({ clock: { now: () => Date.now() } as never }, { Content: text });
    const built = messagePush({ simulator: this.simulator }, fields);
    for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
      if (await this.isTaken(built, (number + tries) % this.hubs.length)) {
        this.successes.push(performance.now());
        return { text, tries, answered: true };
      }
      await delay(PAUSE_MS);
    }
    return { text, tries: MOST_TRIES, answered: false };
  }

  private async isTaken({ path, body, built }: MessagePush, hub: number): Promise<boolean> {
    let status = 0;
    try {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const url = `${this.hubs[hub]?.url}${path}`;
      const answer = await fetch(url, { method: 'POST', body, headers: built.headers, signal });
      ({ status } = answer);
      if (status === 200 && (await answer.text()) === 'success') return true;
    } catch {
      // No answer, as WeChat sees it.
    }
    this.refusals.push({ at: performance.now(), hub, status });
    return false;
  }
}
