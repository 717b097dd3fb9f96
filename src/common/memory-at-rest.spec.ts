import { expect, it } from 'vitest';
import { giveMemoryBackAtRest } from './memory-at-rest.js';

it('a process at rest gives back what it no longer uses', async () => {
  const rss = (): number => process.memoryUsage.rss() / 2 ** 20;
  let held: object[] | undefined = Array.from({ length: 2_000_000 }, (_, index) => ({ index }));
  const before = rss();
  expect(held).toHaveLength(2_000_000);
  held = undefined;
  giveMemoryBackAtRest(100);
  await expect.poll(rss, { interval: 500, timeout: 10_000 }).toBeLessThan(before - 40);
}, 15_000);
