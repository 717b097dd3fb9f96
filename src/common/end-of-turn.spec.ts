import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, it } from 'vitest';
import { endOfTurn } from './end-of-turn.js';

it('comes for all in their order, and leaves each in the asynchronous context it came in', async () => {
  const context = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  const come = (name: string): Promise<void> =>
    context.run(name, () => endOfTurn().then(() => void seen.push(context.getStore())));
  const all = ['a', 'b', 'c'].map(come);
  await Promise.resolve();
  expect(seen).toEqual([]);
  await Promise.all(all);
  expect(seen).toEqual(['a', 'b', 'c']);
  const later = come('d');
  for (let tick = 0; tick < 5; tick += 1) await Promise.resolve();
  expect(seen).toEqual(['a', 'b', 'c']);
  await later;
  expect(seen).toEqual(['a', 'b', 'c', 'd']);
});
