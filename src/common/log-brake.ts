import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { Brake, OTHER_SENDERS } from './brake.js';
import type { ErrorLevel } from './hub-error.js';
import { MINUTE_MS } from './times.js';

/** Senders that get lines of their own within a minute. */
const SENDERS = { perKind: 5, all: 50 };

/** A line as it is logged: a fixed sentence, and fields for what varies. */
export interface BrakedLine {
  level: ErrorLevel;
  message: string;
  fields: Record<string, unknown>;
  /** What was thrown, where that belongs in the log. */
  error?: unknown;
}

/** The way into the log for what strangers cause, so that nobody pushes all else out of it. */
@Injectable()
export class LogBrake implements OnApplicationShutdown {
  private readonly logger = new Logger('Http');
  private readonly brake = new Brake<BrakedLine>(SENDERS, (line, more) => this.write(line, more));

  /**
   * Logs a line, or counts it: see {@link Brake}.
   * @param kind what the line is about: one of a fixed number of names.
   * @param sender who caused it, see `senderOf`.
   */
  log(kind: string, sender: string, line: BrakedLine): void {
    this.brake.note(kind, sender, by(sender, line), by(OTHER_SENDERS, line));
  }

  /** Logs, once a minute, what has been held back. */
  @Interval('log-brake', MINUTE_MS)
  flush(): void {
    this.brake.flush();
  }

  onApplicationShutdown(): void {
    this.flush();
  }

  private write({ level, message, fields, error }: BrakedLine, more: number): void {
    if (more > 0) this.logger[level](message, { ...fields, repeated: more });
    // The stack is logged with the first one only.
    else if (error === undefined) this.logger[level](message, fields);
    else this.logger[level](message, error, fields);
  }
}

function by(sourceAddress: string, line: BrakedLine): BrakedLine {
  return { ...line, fields: { ...line.fields, sourceAddress } };
}
