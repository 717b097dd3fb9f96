import { describe, expect, it } from 'vitest';
import { SingleFlight } from './single-flight.js';

function gate<T>(): { promise: Promise<T>; open(value: T): void; fail(error: Error): void } {
  let open!: (value: T) => void;
  let fail!: (error: Error) => void;
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open, fail };
}

describe('SingleFlight', () => {
  it('runs the work once for all who ask while it is under way', async () => {
    const flight = new SingleFlight<string>();
    const { promise, open } = gate<string>();
    let runs = 0;
    const work = (): Promise<string> => {
      runs += 1;
      return promise;
    };
    const callers = Array.from({ length: 200 }, () => flight.run('key', work));
    open('result');
    expect(await Promise.all(callers)).toEqual(callers.map(() => 'result'));
    expect(runs).toBe(1);
  });

  it('runs the work of each key by itself', async () => {
    const flight = new SingleFlight<string>();
    const results = ['a', 'b'].map((key) => flight.run(key, async () => `of ${key}`));
    expect(await Promise.all(results)).toEqual(['of a', 'of b']);
  });

  it('starts anew when the run before has settled, well or badly', async () => {
    const flight = new SingleFlight<number>();
    let runs = 0;
    const failing = async (): Promise<number> => {
      runs += 1;
      throw new Error(`failure ${runs}`);
    };
    await expect(flight.run('key', failing)).rejects.toThrow('failure 1');
    await expect(flight.run('key', failing)).rejects.toThrow('failure 2');
    expect(await flight.run('key', async () => 3)).toBe(3);
  });

  it('fails for all who joined the run', async () => {
    const flight = new SingleFlight<string>();
    const { promise, fail } = gate<string>();
    const callers = [1, 2, 3].map(() => flight.run('key', () => promise));
    fail(new Error('refused'));
    const outcomes = await Promise.allSettled(callers);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  });

  it('is idle when every run has settled', async () => {
    const flight = new SingleFlight<string>();
    const { promise, fail } = gate<string>();
    const run = flight.run('key', () => promise);
    let idle = false;
    const waiting = flight.idle().then(() => (idle = true));
    await new Promise(setImmediate);
    expect(idle).toBe(false);
    fail(new Error('refused'));
    await expect(run).rejects.toThrow('refused');
    await waiting;
    expect(idle).toBe(true);
  });
});
