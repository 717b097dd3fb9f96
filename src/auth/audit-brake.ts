import { OTHER_SENDERS } from '../common/log-brake.js';
import { senderOf } from '../common/source-address.js';
import type { Caller } from '../http/caller.js';

/** Kinds of refusals that are counted apart within a minute, for all callers together. */
const KINDS = 200;

/** What was refused to whom. */
export interface RefusedAct {
  caller: Caller;
  action: string;
  target: string;
  /** Code of the error. */
  outcome: string;
  sourceAddress: string;
  requestId: string | null;
}

/**
 * What strangers can cause as often as they like is recorded at once the first time, and then once
 * a minute with its number: by sender, caller, act and outcome. Bounded, however many there are.
 */
export class AuditBrake {
  private readonly held = new Map<string, { act: RefusedAct; more: number }>();

  /** @param record records an act, of `count` that are alike; called at once, never awaited. */
  constructor(private readonly record: (act: RefusedAct, count: number) => void) {}

  note(act: RefusedAct): void {
    const { caller, action, target, outcome, sourceAddress } = act;
    const key = [senderOf(sourceAddress), caller.actor, action, target, outcome].join(' ');
    const held = this.held.get(key);
    if (held) held.more += 1;
    else if (this.held.size >= KINDS && sourceAddress !== OTHER_SENDERS) this.note(ofOthers(act));
    else {
      this.held.set(key, { act, more: 0 });
      this.record(act, 1);
    }
  }

  /** Records what has been counted; what was silent since the last time is forgotten. */
  flush(): void {
    for (const [key, held] of this.held) {
      if (held.more === 0) this.held.delete(key);
      else this.record(held.act, held.more);
      held.more = 0;
    }
  }
}

/** Without what there may be any number of. */
function ofOthers(act: RefusedAct): RefusedAct {
  const caller = { ...act.caller, actor: 'unknown', name: null };
  return { ...act, caller, target: '*', sourceAddress: OTHER_SENDERS };
}
