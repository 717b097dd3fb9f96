import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SharedReading } from './shared-reading.js';

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

it('a shared reading is made once for callers who come together', async () => {
  let reads = 0;
  const reading = new SharedReading(async () => (reads += 1));
  expect(await Promise.all([reading.get(), reading.get(), reading.get()])).toEqual([1, 1, 1]);
  expect(await reading.get()).toBe(2);
});

it('a shared reading is made once a second when it is asked for all the time', async () => {
  let reads = 0;
  const reading = new SharedReading(async () => (reads += 1));
  for (let ms = 0; ms < 10_000; ms += 10) {
    await reading.get();
    vi.advanceTimersByTime(10);
  }
  expect(reads).toBeLessThanOrEqual(31);
  expect(reads).toBeGreaterThan(9);
});

it('a shared reading that fails is made again', async () => {
  let reads = 0;
  const reading = new SharedReading(async () => {
    reads += 1;
    if (reads === 1) throw new Error('once');
    return reads;
  });
  await expect(reading.get()).rejects.toThrow('once');
  expect(await reading.get()).toBe(2);
});
