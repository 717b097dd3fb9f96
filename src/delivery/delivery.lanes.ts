import { WorkUnderWay } from '../common/background.js';
import type { DeliveryJob } from './delivery.job.js';

/** How much is under way at once. */
export const LANE_LIMITS = {
  /** Calls for one subscription. */
  perSubscription: 32,
  /** Calls in all … */
  total: 256,
  /** … beside these few for each subscription: dead targets may hold all the others. */
  reserved: 4,
  /** Results that are being stored; while there are so many, no call begins. */
  storing: 512,
  /** Deliveries for one subscription that wait in memory for their turn. */
  queued: 500,
  /** … and their texts in all, in characters. */
  queuedText: 8 * 1024 * 1024,
} as const;
/** More than the largest push has, in characters. */
const LARGEST_TEXT = 1024 * 1024;

interface Lane {
  queue: DeliveryJob[];
  running: number;
}

/**
 * Deliveries that are leased to this process, each subscription in a lane of its own: a target that hangs holds up its own
 * lane and no other.
 */
export class DeliveryLanes {
  private readonly lanes = new Map<string, Lane>();
  /** Lanes in which something waits, the one that was served last at the end. */
  private readonly waiting = new Set<string>();
  private readonly ids = new Set<string>();
  private readonly underWay = new WorkUnderWay();
  private running = 0;
  private storing = 0;
  private queuedText = 0;

  /**
   * @param run never rejects. It says when it calls nobody any more: from then on the place is free,
   * while the result is stored together with others.
   * @param left called when the place of a delivery is free.
   */
  constructor(
    private readonly run: (job: DeliveryJob, called: () => void) => Promise<void>,
    private readonly left: (job: DeliveryJob) => void,
  ) {}

  /** Puts a delivery in its lane; it begins when there is a place. */
  add(job: DeliveryJob): void {
    this.ids.add(job.deliveryId);
    this.laneOf(job.subscriptionId).queue.push(job);
    this.queuedText += job.push.text.length;
    this.waiting.add(job.subscriptionId);
    this.start();
  }

  has(deliveryId: string): boolean {
    return this.ids.has(deliveryId);
  }

  /** How many more may wait for a subscription. */
  queueSpace(subscriptionId: string): number {
    return LANE_LIMITS.queued - (this.lanes.get(subscriptionId)?.queue.length ?? 0);
  }

  /** How much more text may wait in all, in characters. */
  get textSpace(): number {
    return LANE_LIMITS.queuedText - this.queuedText;
  }

  /** How many of a subscription could begin soon: what is worth being claimed. */
  claimable(subscriptionId: string): number {
    const { reserved, perSubscription, total } = LANE_LIMITS;
    if (this.isBehind) return 0;
    const lane = this.lanes.get(subscriptionId);
    const places = perSubscription - (lane?.running ?? 0);
    const waiting = lane?.queue.length ?? 0;
    if (this.textSpace < LARGEST_TEXT) {
      // Only what begins at once: it does not wait in memory.
      const left = Math.max(reserved - (lane?.running ?? 0), total - this.running);
      return Math.min(places, left) - waiting;
    }
    return lane ? places + perSubscription / 2 - waiting : places;
  }

  /** Takes out all that has not begun. */
  clear(): DeliveryJob[] {
    const jobs = [...this.lanes.values()].flatMap(({ queue }) => queue.splice(0));
    this.waiting.clear();
    this.queuedText = 0;
    for (const { deliveryId } of jobs) this.ids.delete(deliveryId);
    return jobs;
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    return this.underWay.idle();
  }

  /** Whether too many results wait to be stored. */
  private get isBehind(): boolean {
    return this.storing >= LANE_LIMITS.storing;
  }

  private start(): void {
    // As it is now: a lane that is left waiting goes to the end.
    for (const id of Array.from(this.waiting)) {
      const lane = this.laneOf(id);
      while (lane.queue.length > 0 && this.mayStart(lane)) this.begin(lane);
      this.waiting.delete(id);
      if (lane.queue.length > 0) this.waiting.add(id);
    }
  }

  private mayStart({ running }: Lane): boolean {
    const { reserved, perSubscription, total } = LANE_LIMITS;
    if (this.isBehind) return false;
    return running < reserved || (running < perSubscription && this.running < total);
  }

  private begin(lane: Lane): void {
    const job = lane.queue.shift() as DeliveryJob;
    this.queuedText -= job.push.text.length;
    lane.running += 1;
    this.running += 1;
    this.underWay.add(this.runIn(lane, job));
  }

  private async runIn(lane: Lane, job: DeliveryJob): Promise<void> {
    let hasLeft = false;
    const leave = (): void => {
      if (hasLeft) return;
      hasLeft = true;
      lane.running -= 1;
      this.running -= 1;
      this.storing += 1;
      if (lane.running === 0 && lane.queue.length === 0) this.lanes.delete(job.subscriptionId);
      this.start();
      this.left(job);
    };
    await this.run(job, leave);
    leave();
    this.storing -= 1;
    this.ids.delete(job.deliveryId);
    this.start();
  }

  private laneOf(subscriptionId: string): Lane {
    let lane = this.lanes.get(subscriptionId);
    if (!lane) this.lanes.set(subscriptionId, (lane = { queue: [], running: 0 }));
    return lane;
  }
}
