import { describe, expect, it } from 'vitest';
import type { DeliveryJob } from './delivery.job.js';
import { DeliveryLanes, LANE_LIMITS } from './delivery.lanes.js';

const { perSubscription, storing } = LANE_LIMITS;

/** Lanes whose calls end, and whose results are stored, when the test says so. */
function lanesOf() {
  const calls: { id: string; answer: () => void; store: () => void }[] = [];
  const lanes = new DeliveryLanes(
    ({ deliveryId: id }, called) =>
      new Promise((stored) => calls.push({ id, answer: called, store: stored })),
    () => undefined,
  );
  const add = (count: number): void => {
    for (let n = 0; n < count; n += 1) lanes.add(jobOf(`delivery-${n}`));
  };
  return { lanes, calls, add };
}

function jobOf(deliveryId: string): DeliveryJob {
  return { deliveryId, subscriptionId: 'one', push: { text: '' } } as DeliveryJob;
}

describe('DeliveryLanes', () => {
  it('calls the next one as soon as one is answered, while its result is being stored', async () => {
    const { lanes, calls, add } = lanesOf();
    add(perSubscription + 1);
    expect(calls).toHaveLength(perSubscription);
    calls[0]!.answer();
    expect(calls).toHaveLength(perSubscription + 1);
    expect(lanes.has('delivery-0')).toBe(true);
    calls[0]!.store();
    await new Promise(setImmediate);
    expect(lanes.has('delivery-0')).toBe(false);
  });

  it('calls and claims nothing more while too many results wait to be stored', async () => {
    const { lanes, calls, add } = lanesOf();
    add(storing + perSubscription + 1);
    for (let n = 0; n < storing; n += 1) calls[n]!.answer();
    // The last one was answered when there were as many results as may wait.
    const begun = perSubscription + storing - 1;
    expect(calls).toHaveLength(begun);
    expect(lanes.claimable('another')).toBe(0);
    calls[0]!.store();
    await new Promise(setImmediate);
    expect(calls).toHaveLength(begun + 1);
    expect(lanes.claimable('another')).toBe(perSubscription);
  });

  it('is idle when every result is stored', async () => {
    const { lanes, calls, add } = lanesOf();
    add(1);
    calls[0]!.answer();
    let idle = false;
    const ended = lanes.idle().then(() => (idle = true));
    await new Promise(setImmediate);
    expect(idle).toBe(false);
    calls[0]!.store();
    await ended;
  });
});
