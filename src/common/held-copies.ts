import { LRUCache } from 'lru-cache';
import { atMost } from './at-most.js';
import type { Clock } from './clock.js';
import { HeldCopy, type HeldCopyLimits } from './held-copy.js';
import { HubError } from './hub-error.js';
import { SingleFlight } from './single-flight.js';
import { Tally } from './tally.js';

/** Rows of which a copy is held. */
export const HELD = 10_000;
/** Rows without a copy that are looked up for one sender at a time: made-up ones must not fill the hub. */
const LOOKUPS_PER_SENDER = 64;

/** Copies of rows that strangers name, each a {@link HeldCopy}. What there is not leaves no copy. */
export class HeldCopies<T> {
  private readonly copies = new LRUCache<string, HeldCopy<T | undefined>>({ ...atMost(HELD) });
  private readonly lookups = new SingleFlight<T | undefined>();
  private readonly lookingUp = new Tally();
  private changes = 0;

  constructor(
    private readonly load: (id: string) => Promise<T | undefined>,
    private readonly clock: Clock,
    private readonly limits: HeldCopyLimits,
  ) {}

  /** @throws {HubError} 503 `too_busy` where too many are looked up for this sender. */
  async get(id: string, sender: string): Promise<T | undefined> {
    const held = this.copies.get(id);
    if (held) return held.fresh ?? held.get();
    if (this.lookingUp.of(sender) >= LOOKUPS_PER_SENDER) {
      throw new HubError('too_busy', 'Too many credentials are being looked up', { status: 503 });
    }
    this.lookingUp.add(sender, 1);
    try {
      return await this.lookups.run(id, () => this.lookUp(id));
    } finally {
      this.lookingUp.add(sender, -1);
    }
  }

  /** Reads what is there now; to be called after each change. */
  async changed(id: string): Promise<T | undefined> {
    this.changes += 1;
    return this.copies.get(id)?.reload();
  }

  /** The same where a change concerns rows that are not known by name. */
  forgetAll(): void {
    this.changes += 1;
    this.copies.clear();
  }

  private async lookUp(id: string): Promise<T | undefined> {
    const copy = new HeldCopy(() => this.load(id), this.clock, this.limits);
    const { changes } = this;
    const value = await copy.get();
    // What was read while one changed may be of before.
    if (value && changes === this.changes) this.copies.set(id, copy);
    return value;
  }
}
