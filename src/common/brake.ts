import { Tally } from './tally.js';

/** Stands for all senders beyond those that are counted apart. */
export const OTHER_SENDERS = 'other';

/** How many senders are counted apart within a period: of one kind, and of all kinds. */
export interface BrakeLimits {
  perKind: number;
  all: number;
}

interface Held<T> {
  kind: string;
  first: T;
  /** That were held back in this period. */
  more: number;
}

/**
 * For what strangers can cause as often as they like: the first of a kind and sender passes at once,
 * and those that follow pass once a period, as one with their number. Bounded, however many senders
 * there are.
 */
export class Brake<T> {
  private readonly held = new Map<string, Held<T>>();
  private readonly senders = new Tally();

  /** @param pass gets the first of its kind and sender, and how many like it were held back; 0 at once. */
  constructor(
    private readonly limits: BrakeLimits,
    private readonly pass: (first: T, more: number) => void,
  ) {}

  /**
   * Passes on, or counts.
   * @param kind one of a fixed number of names.
   * @param ofOthers what passes for all senders that there is no room for.
   */
  note(kind: string, sender: string, what: T, ofOthers: T): void {
    const key = `${kind} ${sender}`;
    const held = this.held.get(key);
    if (held) held.more += 1;
    else if (sender !== OTHER_SENDERS && !this.hasRoom(kind)) {
      this.note(kind, OTHER_SENDERS, ofOthers, ofOthers);
    } else {
      this.held.set(key, { kind, first: what, more: 0 });
      this.senders.add(kind, 1);
      this.pass(what, 0);
    }
  }

  /** To be called once a period: passes on what was held back; who was silent in it is forgotten. */
  flush(): void {
    for (const [key, held] of this.held) {
      const { kind, first, more } = held;
      held.more = 0;
      if (more > 0) {
        this.pass(first, more);
        continue;
      }
      this.held.delete(key);
      this.senders.add(kind, -1);
    }
  }

  private hasRoom(kind: string): boolean {
    const { perKind, all } = this.limits;
    return this.senders.total < all && this.senders.of(kind) < perKind;
  }
}
