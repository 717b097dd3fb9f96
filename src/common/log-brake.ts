import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { ErrorLevel } from './hub-error.js';

/** How often it is logged what has been held back, in milliseconds. */
const PERIOD_MS = 60_000;
/** Senders that get lines of their own within a period: of one kind, … */
const SENDERS_PER_KIND = 5;
/** … and of all kinds. */
const SENDERS = 50;
/** Stands for all senders beyond. */
export const OTHER_SENDERS = 'other';

/** A line as it is logged: a fixed sentence, and fields for what varies. */
export interface BrakedLine {
  level: ErrorLevel;
  message: string;
  fields: Record<string, unknown>;
  /** What was thrown, where that belongs in the log. */
  error?: unknown;
}

/** A kind of line from a sender that has had its first one. */
interface Held {
  kind: string;
  sender: string;
  line: BrakedLine;
  /** Lines that were held back in this period. */
  count: number;
}

/**
 * The way into the log for everything that strangers can cause as often as they like: the first
 * line of a kind and sender is logged at once, those that follow as one line a minute with their
 * number, so that nobody pushes all else out of the log. Bounded, however many senders there are.
 */
@Injectable()
export class LogBrake implements OnApplicationShutdown {
  private readonly logger = new Logger('Http');
  private readonly held = new Map<string, Held>();
  private readonly sendersOf = new Map<string, number>();

  /**
   * Logs a line, or counts it.
   * @param kind what the line is about: one of a fixed number of names.
   * @param sender who caused it, see `senderOf`.
   */
  log(kind: string, sender: string, line: BrakedLine): void {
    const held = this.held.get(keyOf(kind, sender));
    if (held) {
      held.count += 1;
      return;
    }
    if (sender !== OTHER_SENDERS && !this.hasRoom(kind)) {
      this.log(kind, OTHER_SENDERS, line);
      return;
    }
    // The stack is logged with the first one only.
    this.held.set(keyOf(kind, sender), {
      kind,
      sender,
      line: { ...line, error: undefined },
      count: 0,
    });
    this.sendersOf.set(kind, (this.sendersOf.get(kind) ?? 0) + 1);
    this.write(line, { sourceAddress: sender });
  }

  /** Logs, once a minute, what has been held back; who has been silent since the last time is forgotten. */
  @Interval('log-brake', PERIOD_MS)
  flush(): void {
    for (const [key, held] of this.held) {
      const { kind, sender, line, count } = held;
      if (count === 0) {
        this.held.delete(key);
        const senders = (this.sendersOf.get(kind) ?? 1) - 1;
        if (senders > 0) this.sendersOf.set(kind, senders);
        else this.sendersOf.delete(kind);
        continue;
      }
      held.count = 0;
      this.write(line, { sourceAddress: sender, repeated: count });
    }
  }

  onApplicationShutdown(): void {
    this.flush();
  }

  private hasRoom(kind: string): boolean {
    return this.held.size < SENDERS && (this.sendersOf.get(kind) ?? 0) < SENDERS_PER_KIND;
  }

  private write({ level, message, fields, error }: BrakedLine, more: object): void {
    const all = { ...fields, ...more };
    if (error === undefined) this.logger[level](message, all);
    else this.logger[level](message, error, all);
  }
}

function keyOf(kind: string, sender: string): string {
  return `${kind} ${sender}`;
}
