/** A ticket stays valid for 12 hours (component_verify_ticket page). Seconds. */
const TICKET_LIFE_SECONDS = 12 * 60 * 60;

/** Under a load test tickets are pushed by the thousand; the oldest are forgotten beyond this. */
const REMEMBERED = 100_000;

/** The tickets issued to one component. A newer ticket does not void the older ones. */
export class TicketBook {
  private readonly createTimes = new Map<string, number>();
  /** How many tickets were ever issued. */
  issued = 0;

  /** @param createTime the push's CreateTime, Unix seconds. */
  remember(ticket: string, createTime: number): void {
    this.issued += 1;
    this.createTimes.set(ticket, createTime);
    if (this.createTimes.size <= REMEMBERED) return;
    // A Map iterates in the order of insertion, so the first key is the oldest.
    for (const oldest of this.createTimes.keys()) {
      this.createTimes.delete(oldest);
      break;
    }
  }

  /** @param nowMs Unix time in milliseconds. */
  check(ticket: string, nowMs: number): 'valid' | 'expired' | 'unknown' {
    const createTime = this.createTimes.get(ticket);
    if (createTime === undefined) return 'unknown';
    return nowMs / 1000 - createTime > TICKET_LIFE_SECONDS ? 'expired' : 'valid';
  }
}
