import { ANY } from './count-waiters.js';
import { SimulatorError } from './wechat-error.js';

/**
 * What can go wrong with a call:
 * - `errcode`: an error answer (`errcode`, default -1; `errmsg`).
 * - `delay`: the right answer, `delayMs` later (default 1000).
 * - `hang`: no answer until `release()`, then the right one.
 * - `http`: an HTTP error page with `status` (default 502).
 * - `truncate`: the connection is cut in the middle of the body.
 * - `text_plain`: the right answer labelled text/plain (so it always has its effect).
 * - `reset`: the connection is reset (RST) without an answer.
 * - `garbage`, `empty`, `empty_object`: HTTP 200 with no JSON, nothing, or `{}`.
 */
export const FAULT_KINDS = [
  'errcode',
  'delay',
  'hang',
  'http',
  'truncate',
  'text_plain',
  'reset',
  'garbage',
  'empty',
  'empty_object',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

/** A fault to be applied to coming calls. */
export interface FaultSpec {
  /** API path, or `*` for all (default). */
  path?: string;
  kind: FaultKind;
  errcode?: number;
  errmsg?: string;
  delayMs?: number;
  status?: number;
  /** How many calls it applies to; default all until removed. */
  times?: number;
  /** Chance of each call to be hit, 0..1; default 1. */
  probability?: number;
  /**
   * `true`: the work is done first (a token is issued) and only the answer suffers, as when WeChat
   * has answered but the caller never hears of it. Default `false`: the fault comes first.
   */
  afterEffect?: boolean;
}

/** A planned fault and its history. */
export interface PlannedFault extends FaultSpec {
  id: string;
  path: string;
  /** Calls it was applied to. */
  applied: number;
}

/** The faults in force; the oldest that fits a call is applied. */
export class FaultPlan {
  private readonly faults = new Map<string, PlannedFault>();
  private nextId = 1;

  /** @param rng draws for `probability`, 0 ≤ n < 1. */
  constructor(private readonly rng: () => number) {}

  add(spec: FaultSpec): string {
    checkSpec(spec);
    const id = `fault-${this.nextId++}`;
    this.faults.set(id, { ...spec, id, path: spec.path ?? ANY, applied: 0 });
    return id;
  }

  /** The fault to apply to a call that has just arrived, already counted. */
  pick(path: string): PlannedFault | null {
    for (const fault of this.faults.values()) {
      if (fault.path !== ANY && fault.path !== path) continue;
      if (fault.probability !== undefined && this.rng() >= fault.probability) continue;
      fault.applied += 1;
      if (fault.applied === fault.times) this.faults.delete(fault.id);
      return fault;
    }
    return null;
  }

  list(): PlannedFault[] {
    return [...this.faults.values()].map((fault) => ({ ...fault }));
  }

  /** Removes one fault or all; answers how many went. */
  remove(id?: string): number {
    if (id !== undefined) return this.faults.delete(id) ? 1 : 0;
    const count = this.faults.size;
    this.faults.clear();
    return count;
  }
}

function checkSpec(spec: FaultSpec): void {
  if (!FAULT_KINDS.includes(spec.kind)) {
    throw new SimulatorError(`kind must be one of ${FAULT_KINDS.join(', ')}`);
  }
  if (spec.path !== undefined && spec.path !== ANY && !spec.path.startsWith?.('/')) {
    throw new SimulatorError("path must be '*' or begin with /");
  }
  checkNumber('errcode', spec.errcode, -Infinity, Infinity);
  checkNumber('delayMs', spec.delayMs, 0, Infinity);
  checkNumber('status', spec.status, 200, 599);
  checkNumber('times', spec.times, 1, Infinity);
  checkNumber('probability', spec.probability, 0, 1);
}

function checkNumber(name: string, value: unknown, min: number, max: number): void {
  if (value === undefined) return;
  if (typeof value === 'number' && value >= min && value <= max) return;
  throw new SimulatorError(`${name} must be a number from ${min} to ${max}`);
}
