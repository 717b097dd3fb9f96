import { Agent } from 'node:http';
import { performance } from 'node:perf_hooks';
import { CountWaiters } from './count-waiters.js';
import { DEFAULT_PUSH_INTERVAL_SECONDS } from './defaults.js';
import type { FakeComponent } from './fake-component.js';
import { buildPush, ticketXml, type BuiltPush, type TicketPushOverrides } from './push-builder.js';
import { postPush, type PushAnswer } from './push-transport.js';
import { newTicket } from './random-values.js';
import { SimulatorError } from './wechat-error.js';

const KEPT_RESULTS = 1000;

/** Longest answer kept; a right one is `success`. */
const KEPT_BODY_CHARACTERS = 4096;

/** How a push ended. */
export interface PushResult {
  appid: string;
  /** HTTP status, `null` when no answer came. */
  status: number | null;
  body: string;
  /** Duration in milliseconds. */
  ms: number;
  /** Why no answer came (`ECONNREFUSED …`, `timeout after 5000 ms`), else `null`. */
  error: string | null;
  ticket: string | null;
  /** CreateTime of a ticket push, Unix seconds. */
  createTime: number | null;
  /** When the push began, Unix milliseconds of the simulator's clock. */
  atMs: number;
}

/** WeChat's side of the auth URL: sends pushes, on demand and on an interval. */
export class Pusher {
  /** Ended pushes by appid, to wait for. */
  readonly ended = new CountWaiters();
  private readonly agent = new Agent({ keepAlive: true });
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly inFlight = new Set<Promise<PushResult>>();
  private results: PushResult[] = [];
  private stopped = false;

  constructor(
    private readonly now: () => number,
    /** Time allowed for a push, in milliseconds. */
    readonly timeoutMs: number,
  ) {}

  /** Builds a ticket push; its ticket is issued from here on, sent or not. */
  buildTicketPush(component: FakeComponent, overrides: TicketPushOverrides = {}): BuiltPush {
    const nowMs = this.now();
    const createTime = overrides.createTime ?? Math.floor(nowMs / 1000);
    const ticket = overrides.ticket ?? newTicket();
    const plaintext =
      overrides.plaintext ??
      ticketXml(overrides.innerAppId ?? component.appid, createTime, ticket, overrides.infoType);
    const carriesTicket = overrides.plaintext === undefined || overrides.ticket !== undefined;
    if (carriesTicket && overrides.issued !== false) component.tickets.remember(ticket, createTime);
    const built = buildPush(component, nowMs, plaintext, overrides);
    return carriesTicket ? { ...built, ticket, createTime } : built;
  }

  /** Sends a push and answers how it went; a failed delivery is a result, not an error. */
  push(component: FakeComponent, built: BuiltPush, url = component.pushUrl): Promise<PushResult> {
    if (!url) throw new SimulatorError(`${component.appid} has no pushUrl`, 409);
    if (this.stopped) throw new SimulatorError('the simulator is stopped', 409);
    const pending = this.deliver(built, url);
    this.inFlight.add(pending);
    void pending.finally(() => this.inFlight.delete(pending));
    return pending;
  }

  /** Starts the interval; answers whether it was already running. */
  start(component: FakeComponent): boolean {
    const running = this.isRunning(component.appid);
    clearInterval(this.timers.get(component.appid));
    const seconds = component.pushIntervalSeconds ?? DEFAULT_PUSH_INTERVAL_SECONDS;
    component.pushIntervalSeconds = seconds;
    const tick = () => this.pushIfTargeted(component);
    this.timers.set(component.appid, setInterval(tick, seconds * 1000));
    return running;
  }

  /** Pushes a new ticket without waiting for the outcome; nothing happens without a target. */
  pushIfTargeted(component: FakeComponent): void {
    if (component.pushUrl) void this.push(component, this.buildTicketPush(component));
  }

  /** Ends the interval of one component. */
  halt(appid: string): void {
    clearInterval(this.timers.get(appid));
    this.timers.delete(appid);
  }

  isRunning(appid: string): boolean {
    return this.timers.has(appid);
  }

  /** The last 1000 results at most, oldest first. */
  lastResults(limit = KEPT_RESULTS): PushResult[] {
    return this.results.slice(-Math.min(limit, KEPT_RESULTS));
  }

  /** Ends all intervals, cuts the pushes under way and waits for their (failed) results. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const appid of this.timers.keys()) this.halt(appid);
    this.agent.destroy();
    await Promise.allSettled(this.inFlight);
    this.ended.rejectAll('the simulator was stopped');
  }

  private async deliver(built: BuiltPush, url: string): Promise<PushResult> {
    const atMs = this.now();
    const began = performance.now();
    const { status, body, error } = await this.post(built, url);
    const { appid, ticket, createTime } = built;
    const ms = Math.round((performance.now() - began) * 1000) / 1000;
    const result = { appid, status, body, ms, error, ticket, createTime, atMs };
    this.results.push(result);
    if (this.results.length >= 2 * KEPT_RESULTS) this.results = this.results.slice(-KEPT_RESULTS);
    this.ended.increment(appid);
    return result;
  }

  private post({ params, headers, body }: BuiltPush, url: string): Promise<PushAnswer> {
    const target = new URL(url);
    for (const [name, value] of Object.entries(params)) target.searchParams.set(name, value);
    const { agent, timeoutMs } = this;
    const maxCharacters = KEPT_BODY_CHARACTERS;
    return postPush({ url: target, headers, body, agent, timeoutMs, maxCharacters });
  }
}
