import { CountWaiters } from './count-waiters.js';

/** How many calls are kept one by one. */
const KEPT_CALLS = 200;

/** Beyond this many distinct paths new ones are counted together. */
const MAX_PATHS = 500;
const OTHER_PATHS = '(other)';

/** One API call. Holds no query, body or answer: those carry secrets. */
export interface CallEntry {
  path: string;
  /** Arrival, Unix milliseconds of the simulator's clock. */
  atMs: number;
  /** HTTP status sent, `null` while unanswered or when the connection was cut. */
  status: number | null;
  /** errcode sent, 0 for success, `null` when the answer was no JSON answer. */
  errcode: number | null;
  /** The fault that was applied. */
  fault: string | null;
}

/** Counts of one path. */
export interface PathCounts {
  arrived: number;
  /** By outcome: the errcode as text, or what happened instead (`reset`, `http`, `closed` …). */
  answered: Record<string, number>;
}

/** What `GET /__sim/calls` answers. */
export interface CallSummary {
  total: number;
  paths: Record<string, PathCounts>;
  /** Oldest first. */
  last: CallEntry[];
}

/** Counts API calls by path and outcome. */
export class CallLog {
  /** Arrivals by path, to wait for. */
  readonly arrivals = new CountWaiters();
  private readonly paths = new Map<string, PathCounts>();
  private last: CallEntry[] = [];
  private total = 0;

  /** Notes an arrival; waiters are woken once the synchronous handling that follows is done. */
  arrive(path: string, atMs: number): CallEntry {
    const entry: CallEntry = { path, atMs, status: null, errcode: null, fault: null };
    this.total += 1;
    this.countsOf(path).arrived += 1;
    this.last.push(entry);
    // Trimmed at twice the size, so that a call under load does not pay for shifting the list.
    if (this.last.length >= 2 * KEPT_CALLS) this.last = this.last.slice(-KEPT_CALLS);
    this.arrivals.increment(path);
    return entry;
  }

  /** Notes how a call ended. `outcome` names the end when there is no errcode. */
  settle(entry: CallEntry, status: number | null, errcode: number | null, outcome = 'none'): void {
    entry.status = status;
    entry.errcode = errcode;
    const { answered } = this.countsOf(entry.path);
    const key = errcode === null ? outcome : String(errcode);
    answered[key] = (answered[key] ?? 0) + 1;
  }

  summary(): CallSummary {
    return {
      total: this.total,
      paths: structuredClone(Object.fromEntries(this.paths)),
      last: structuredClone(this.last.slice(-KEPT_CALLS)),
    };
  }

  clear(): void {
    this.total = 0;
    this.last = [];
    this.paths.clear();
    this.arrivals.clear();
  }

  private countsOf(path: string): PathCounts {
    const known = this.paths.get(path);
    if (known) return known;
    if (this.paths.size >= MAX_PATHS && path !== OTHER_PATHS) return this.countsOf(OTHER_PATHS);
    const counts: PathCounts = { arrived: 0, answered: {} };
    this.paths.set(path, counts);
    return counts;
  }
}

/** How many customer messages are kept. */
const KEPT_MESSAGES = 10_000;

/** A customer message that was sent with an authorizer token. */
export interface CustomMessage {
  component: string;
  /** The account in whose name it was sent. */
  account: string;
  touser: string;
  msgtype: string;
  /** The whole JSON body. */
  body: Record<string, unknown>;
  /** Unix milliseconds of the simulator's clock. */
  atMs: number;
}

/** The customer messages sent, to be looked at by tests. */
export class CustomMessageLog {
  private messages: CustomMessage[] = [];

  add(message: CustomMessage): void {
    this.messages.push(message);
    // Trimmed at twice the size, so that a call under load does not pay for shifting the list.
    if (this.messages.length >= 2 * KEPT_MESSAGES) {
      this.messages = this.messages.slice(-KEPT_MESSAGES);
    }
  }

  /** The last 10000 at most, oldest first. */
  last(): CustomMessage[] {
    return this.messages.slice(-KEPT_MESSAGES);
  }

  clear(): void {
    this.messages = [];
  }
}
