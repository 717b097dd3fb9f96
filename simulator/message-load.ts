import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks';
import type { MessageOutcome } from './message-answer.js';
import { plaintextOf, type ReadyMessage } from './message-builder.js';
import { openidOf, type MessageIds } from './message-ids.js';
import { nextKind, type LoadPlan } from './message-load.plan.js';
import { MessageSender, type MessageResult } from './message-sender.js';

/** How often it is looked what is due. Milliseconds. */
const TICK_MS = 2;
/** Messages sent in one go: answers are read in between, also when the machine is behind. */
const MAX_PER_TICK = 64;
/** Messages under way at once; those that would be more are counted as `not_sent`. */
const MAX_UNDER_WAY = 50_000;

/** Milliseconds. */
export interface LoadTimes {
  p50: number;
  p99: number;
  max: number;
}

/** How a load goes or went. */
export interface LoadReport {
  state: 'running' | 'draining' | 'ended';
  component: string;
  perSecond: number;
  planned: number;
  sent: number;
  underWay: number;
  /**
   * Messages by how they ended: see `MessageOutcome`, with the reason behind `unanswered` and the
   * status behind `refused`; `not_sent` where too many were under way.
   */
  outcomes: Record<string, number>;
  /** By type, as in `mix`. */
  kinds: Record<string, number>;
  /** From the moment a message is handed over until it has ended, all its tries together. */
  latency: LoadTimes;
  /** How late messages were sent: above some milliseconds this machine is the bottleneck. */
  lateness: LoadTimes;
  /** Tries over one for each message. */
  retries: number;
  /** From the first message to the last one so far, in seconds. */
  sendingSeconds: number;
  sentPerSecond: number;
}

/** Sends messages at a steady rate until the count is reached, and waits until all have ended. */
export class MessageLoad {
  /** Resolves when every message has ended. */
  readonly ended: Promise<LoadReport>;
  private readonly sender: MessageSender;
  private readonly latency = createHistogram();
  private readonly lateness = createHistogram();
  private readonly outcomes: Record<string, number> = {};
  private readonly sentOfKind: number[];
  private readonly user = openidOf(`users of a load: ${Math.random()}`);
  private readonly began = performance.now();
  private readonly timer: NodeJS.Timeout;
  private state: LoadReport['state'] = 'running';
  private resolveEnded: (report: LoadReport) => void = () => undefined;
  private sent = 0;
  private underWay = 0;
  private retries = 0;
  private lastSentAt = this.began;

  constructor(
    private readonly plan: LoadPlan,
    private readonly now: () => number,
    private readonly ids: MessageIds,
  ) {
    this.sender = new MessageSender(now, plan.connections);
    this.sentOfKind = plan.kinds.map(() => 0);
    this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  isRunning(): boolean {
    return this.state !== 'ended';
  }

  /** Sends no more. */
  stop(): void {
    if (this.state !== 'running') return;
    clearInterval(this.timer);
    this.state = 'draining';
    this.endIfDrained();
  }

  /** Ends at once: what is under way is cut. */
  async cut(): Promise<void> {
    this.stop();
    this.sender.stop();
    await this.ended;
  }

  report(): LoadReport {
    const { plan, state, sent, underWay, retries } = this;
    const sendingSeconds = (this.lastSentAt - this.began) / 1000;
    const kinds = plan.kinds.map(({ msgType, event }, index) => [
      event === undefined ? msgType : `event.${event}`,
      this.sentOfKind[index] ?? 0,
    ]);
    return {
      state,
      component: plan.component.appid,
      perSecond: plan.perSecond,
      planned: plan.count,
      sent,
      underWay,
      outcomes: { ...this.outcomes },
      kinds: Object.fromEntries(kinds),
      latency: timesOf(this.latency),
      lateness: timesOf(this.lateness),
      retries,
      sendingSeconds,
      // The first message is sent at the very beginning, so that there is one interval less.
      sentPerSecond: sendingSeconds > 0 ? (sent - 1) / sendingSeconds : 0,
    };
  }

  private tick(): void {
    const { count, perSecond } = this.plan;
    const elapsedMs = performance.now() - this.began;
    const due = Math.min(count, Math.floor((elapsedMs * perSecond) / 1000) + 1);
    const upTo = Math.min(due, this.sent + MAX_PER_TICK);
    while (this.sent < upTo) this.launch();
    if (this.sent >= count) this.stop();
  }

  private launch(): void {
    const dueAt = this.began + (this.sent * 1000) / this.plan.perSecond;
    this.lastSentAt = performance.now();
    record(this.lateness, this.lastSentAt - dueAt);
    if (this.underWay >= MAX_UNDER_WAY) {
      this.sent += 1;
      this.count('not_sent');
      return;
    }
    const message = this.nextMessage();
    this.underWay += 1;
    void this.sender.send(message, this.plan.policy).then((result) => this.take(result));
  }

  private nextMessage(): ReadyMessage {
    const { plan, sentOfKind } = this;
    const kind = nextKind(plan.kinds, sentOfKind);
    const { msgType, event } = plan.kinds[kind] ?? { msgType: 'text' };
    sentOfKind[kind] = (sentOfKind[kind] ?? 0) + 1;
    const target = plan.targets[this.sent % plan.targets.length] ?? plan.targets[0]!;
    this.sent += 1;
    const { component, format } = plan;
    const head = {
      toUserName: target.toUserName,
      // A user for each message: two events of one user within a second may count as one.
      fromUser: this.user.slice(0, 20) + String(this.sent).padStart(8, '0'),
      createTime: Math.floor(this.now() / 1000),
      msgId: event === undefined ? this.ids.take() : null,
      format,
    };
    const fields = msgType === 'text' ? { Content: `message ${this.sent}` } : undefined;
    const plaintext = plaintextOf({ ...head, msgType, event, fields });
    const { account, url } = target;
    return {
      ...head,
      component,
      account,
      url,
      isEvent: event !== undefined,
      plaintext,
      overrides: {},
    };
  }

  private take(result: MessageResult): void {
    this.underWay -= 1;
    this.retries += result.tries.length - 1;
    record(this.latency, result.ms);
    this.count(describe(result));
    const { account, fromUser, createTime, msgId, outcome, ms } = result;
    this.plan.onEnd?.({ account, fromUser, createTime, msgId, outcome, ms });
    this.endIfDrained();
  }

  private count(outcome: string): void {
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
  }

  private endIfDrained(): void {
    if (this.state !== 'draining' || this.underWay > 0) return;
    this.state = 'ended';
    this.sender.stop();
    this.resolveEnded(this.report());
  }
}

function describe({ outcome, tries }: MessageResult): string {
  const last = tries.at(-1);
  const detail: Partial<Record<MessageOutcome, unknown>> = {
    unanswered: last?.code,
    refused: last?.status,
  };
  const reason = detail[outcome];
  return reason === undefined || reason === null ? outcome : `${outcome}: ${String(reason)}`;
}

/** Histograms hold whole numbers from 1: microseconds. */
function record(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.max(1, Math.round(ms * 1000)));
}

function timesOf(histogram: RecordableHistogram): LoadTimes {
  if (histogram.count === 0) return { p50: 0, p99: 0, max: 0 };
  return {
    p50: histogram.percentile(50) / 1000,
    p99: histogram.percentile(99) / 1000,
    max: histogram.max / 1000,
  };
}
