import { describe, expect, it } from 'vitest';
import { Batcher, type BatchTimes } from './batcher.js';

class Outage extends Error {}

/** A batcher whose batches can be seen, and a write that refuses some items. */
function batcherOf(
  maxItems: number,
  write: (items: string[]) => Promise<string[]>,
  times?: BatchTimes,
) {
  const batches: string[][] = [];
  const batcher = new Batcher<string, string>(
    async (items) => {
      batches.push(items);
      return write(items);
    },
    maxItems,
    (error) => error instanceof Outage,
    times,
  );
  return { batcher, batches };
}

const echo = async (items: string[]): Promise<string[]> => items.map((item) => `${item}!`);

function refusing(bad: string): (items: string[]) => Promise<string[]> {
  return async (items) => {
    if (items.includes(bad)) throw new Error(`${bad} is bad`);
    return echo(items);
  };
}

describe('Batcher', () => {
  it('writes what comes at once together, and gives each its own result', async () => {
    const { batcher, batches } = batcherOf(200, echo);
    expect(await Promise.all(['a', 'b', 'c'].map((item) => batcher.add(item)))).toEqual([
      'a!',
      'b!',
      'c!',
    ]);
    expect(batches).toEqual([['a', 'b', 'c']]);
  });

  it('writes what comes during a batch in the next one', async () => {
    let late: Promise<string> | undefined;
    const { batcher, batches } = batcherOf(200, async (items) => {
      if (items.includes('a')) late = batcher.add('late');
      return echo(items);
    });
    await Promise.all([batcher.add('a'), batcher.add('b')]);
    expect(await late).toBe('late!');
    expect(batches).toEqual([['a', 'b'], ['late']]);
  });

  it('writes again after it has been idle', async () => {
    const { batcher, batches } = batcherOf(200, echo);
    await batcher.add('a');
    await batcher.add('b');
    expect(batches).toEqual([['a'], ['b']]);
  });

  it('gathers what comes within its period of the last batch, and keeps nobody waiting after it', async () => {
    const begun: number[] = [];
    const write = async (items: string[]): Promise<string[]> => {
      begun.push(performance.now());
      return echo(items);
    };
    const { batcher, batches } = batcherOf(200, write, { periodMs: 300 });
    const first = performance.now();
    await batcher.add('a');
    expect(begun[0]! - first).toBeLessThan(300);
    const soon = batcher.add('b');
    await new Promise(setImmediate);
    await Promise.all([soon, batcher.add('c')]);
    expect(batches).toEqual([['a'], ['b', 'c']]);
    expect(begun[1]! - begun[0]!).toBeGreaterThan(290);
  });

  it('ends its period when enough have come', async () => {
    const { batcher, batches } = batcherOf(200, echo, { periodMs: 3_600_000, enough: 3 });
    await batcher.add('a');
    const waiting = [batcher.add('b')];
    await new Promise(setImmediate);
    expect(batches).toEqual([['a']]);
    waiting.push(batcher.add('c'), batcher.add('d'));
    await Promise.all(waiting);
    expect(batches).toEqual([['a'], ['b', 'c', 'd']]);
  });

  it('ends its period in quiet when some have come, and not while more come in every second turn', async () => {
    const times = { periodMs: 3_600_000, enough: 200, enoughInQuiet: 2 };
    const { batcher, batches } = batcherOf(200, echo, times);
    await batcher.add('a');
    const waiting = ['b', 'c'].map((item) => batcher.add(item));
    for (const item of ['d', 'e', 'f']) {
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      waiting.push(batcher.add(item));
    }
    await Promise.all(waiting);
    expect(batches).toEqual([['a'], ['b', 'c', 'd', 'e', 'f']]);
  });

  it('waits for no period where enough have come during the last batch', async () => {
    let late: Promise<string>[] = [];
    const write = async (items: string[]): Promise<string[]> => {
      if (items.includes('a')) late = ['b', 'c', 'd'].map((item) => batcher.add(item));
      return echo(items);
    };
    const { batcher, batches } = batcherOf(200, write, { periodMs: 3_600_000, enough: 3 });
    await batcher.add('a');
    await Promise.all(late);
    expect(batches).toEqual([['a'], ['b', 'c', 'd']]);
  });

  it('makes no batch larger than it may be', async () => {
    const { batcher, batches } = batcherOf(2, echo);
    const items = ['a', 'b', 'c', 'd', 'e'];
    await Promise.all(items.map((item) => batcher.add(item)));
    expect(batches).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  it('lets a bad item fail alone', async () => {
    const { batcher } = batcherOf(200, refusing('b'));
    const outcomes = await Promise.allSettled(['a', 'b', 'c'].map((item) => batcher.add(item)));
    expect(outcomes).toEqual([
      { status: 'fulfilled', value: 'a!' },
      { status: 'rejected', reason: new Error('b is bad') },
      { status: 'fulfilled', value: 'c!' },
    ]);
  });

  it('tries a batch once when the failure concerns all of it', async () => {
    const { batcher, batches } = batcherOf(200, async () => {
      throw new Outage('down');
    });
    const outcomes = await Promise.allSettled(['a', 'b'].map((item) => batcher.add(item)));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(batches).toEqual([['a', 'b']]);
  });

  it('goes on after a failure', async () => {
    const { batcher } = batcherOf(200, refusing('bad'));
    await expect(batcher.add('bad')).rejects.toThrow('bad is bad');
    expect(await batcher.add('good')).toBe('good!');
  });
});
