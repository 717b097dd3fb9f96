import { describe, expect, it } from 'vitest';
import { Mutex } from './mutex.js';

describe('Mutex', () => {
  it('runs one at a time, in the order in which they came', async () => {
    const mutex = new Mutex();
    const events: string[] = [];
    const run = (name: string): Promise<string> =>
      mutex.run(async () => {
        events.push(`${name} begins`);
        await new Promise(setImmediate);
        events.push(`${name} ends`);
        return name;
      });
    expect(await Promise.all([run('a'), run('b'), run('c')])).toEqual(['a', 'b', 'c']);
    expect(events).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  it('goes on after a run that failed, and gives its failure to its caller alone', async () => {
    const mutex = new Mutex();
    const failed = mutex.run(async () => {
      throw new Error('broken');
    });
    const next = mutex.run(async () => 'fine');
    await expect(failed).rejects.toThrow('broken');
    expect(await next).toBe('fine');
  });
});
