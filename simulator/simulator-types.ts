import type { ComponentOptions } from './fake-component.js';
import type { PlannedFault } from './fault-plan.js';

/** How a simulator is started. */
export interface SimulatorOptions {
  /** Default 0: any free port. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  components?: ComponentOptions[];
  /** Life of component tokens where a component sets none, in seconds; default 7200. */
  tokenLifeSeconds?: number;
  /**
   * Base URL of the hub: components without a `pushUrl` get `<base>/callback/<appid>/events`, and
   * with it `<base>/callback/<appid>/messages/$APPID$` for messages.
   */
  pushBaseUrl?: string;
  /** Time allowed for a push in milliseconds; default 5000. */
  pushTimeoutMs?: number;
  /** Clock, Unix milliseconds; default `Date.now`. */
  now?: () => number;
  /** Draws for faults with a probability, 0 ≤ n < 1; default `Math.random`. */
  rng?: () => number;
}

/** What to wait for. Counts are totals since the start or the last `clearCalls()`. */
export interface WaitOptions {
  /** Default 1. */
  count?: number | undefined;
  /** Default 10000. */
  timeoutMs?: number | undefined;
}

/** A component without its secrets. */
export interface ComponentState {
  appid: string;
  pushUrl: string | null;
  /** Where messages go, with `$APPID$`. */
  messageUrl: string | null;
  pushIntervalSeconds: number | null;
  pushing: boolean;
  tokenLifeSeconds: number;
  ticketsIssued: number;
  tokensIssued: number;
  pushesEnded: number;
}

/** What `GET /__sim/state` answers. */
export interface SimulatorState {
  url: string;
  nowMs: number;
  outage: boolean;
  held: number;
  calls: number;
  components: ComponentState[];
  faults: PlannedFault[];
}
