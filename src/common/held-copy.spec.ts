import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { HeldCopy } from './held-copy.js';

const LIMITS = { refreshAfterMs: 1000, maxAgeMs: 4000 };

/** A value in a database that can be slow or gone. */
class Source {
  value = 'first';
  loads = 0;
  broken = false;
  private held: (() => void)[] | undefined;

  async load(): Promise<string> {
    this.loads += 1;
    const { value } = this;
    if (this.held) await new Promise<void>((resolve) => this.held?.push(resolve));
    if (this.broken) throw new Error('database down');
    return value;
  }

  hold(): void {
    this.held = [];
  }

  releaseLast(): void {
    this.held?.pop()?.();
  }

  release(): void {
    for (const resolve of this.held ?? []) resolve();
    this.held = undefined;
  }
}

function heldCopy(): { copy: HeldCopy<string>; source: Source; clock: FakeClock } {
  const source = new Source();
  const clock = new FakeClock();
  return { copy: new HeldCopy(() => source.load(), clock, LIMITS), source, clock };
}

const settled = (): Promise<void> => new Promise(setImmediate);

describe('HeldCopy', () => {
  it('loads once for many readers, and not again while the copy is young', async () => {
    const { copy, source, clock } = heldCopy();
    await Promise.all(Array.from({ length: 100 }, () => copy.get()));
    clock.advance(LIMITS.refreshAfterMs - 1);
    expect(await copy.get()).toBe('first');
    expect(source.loads).toBe(1);
  });

  it('is fresh from its first load until it should be loaded again', async () => {
    const { copy, clock } = heldCopy();
    expect(copy.fresh).toBeUndefined();
    await copy.get();
    clock.advance(LIMITS.refreshAfterMs - 1);
    expect(copy.fresh).toBe('first');
    clock.advance(1);
    expect(copy.fresh).toBeUndefined();
  });

  it('answers with a copy of middle age at once and loads behind it', async () => {
    const { copy, source, clock } = heldCopy();
    await copy.get();
    source.value = 'second';
    clock.advance(LIMITS.refreshAfterMs);
    expect(await copy.get()).toBe('first');
    await settled();
    expect(await copy.get()).toBe('second');
    expect(source.loads).toBe(2);
  });

  it('waits for the load when the copy is too old', async () => {
    const { copy, source, clock } = heldCopy();
    await copy.get();
    source.value = 'second';
    clock.advance(LIMITS.maxAgeMs);
    expect(await copy.get()).toBe('second');
  });

  it('gives the old copy when the load fails, and does not load for each reader then', async () => {
    const { copy, source, clock } = heldCopy();
    await copy.get();
    source.broken = true;
    clock.advance(3_600_000);
    expect(await copy.get()).toBe('first');
    expect(await copy.get()).toBe('first');
    expect(source.loads).toBe(2);
    clock.advance(1000);
    source.broken = false;
    source.value = 'second';
    expect(await copy.get()).toBe('second');
  });

  it('gives the old copy when the load takes longer than a second', async () => {
    const { copy, source, clock } = heldCopy();
    await copy.get();
    source.hold();
    clock.advance(LIMITS.maxAgeMs);
    const started = performance.now();
    expect(await copy.get()).toBe('first');
    expect(performance.now() - started).toBeLessThan(1500);
    source.release();
  });

  it('fails while there is no copy, and loads again for the next reader', async () => {
    const { copy, source } = heldCopy();
    source.broken = true;
    await expect(copy.get()).rejects.toThrow('database down');
    source.broken = false;
    expect(await copy.get()).toBe('first');
  });

  it('reads anew for a reload, whatever load is under way, and keeps what was begun last', async () => {
    const { copy, source } = heldCopy();
    source.hold();
    const earlier = copy.get();
    source.value = 'second';
    const later = copy.reload();
    source.releaseLast();
    expect(await later).toBe('second');
    source.release();
    expect(await earlier).toBe('first');
    expect(await copy.get()).toBe('second');
  });

  it('ages, and tries again after a failure, however far the clock was set back', async () => {
    const { copy, source, clock } = heldCopy();
    await copy.get();
    source.value = 'second';
    clock.advance(-3_600_000);
    clock.advance(LIMITS.maxAgeMs);
    expect(await copy.get()).toBe('second');
    source.broken = true;
    clock.advance(LIMITS.maxAgeMs);
    await copy.get();
    source.broken = false;
    source.value = 'third';
    clock.advance(-3_600_000);
    clock.advance(1000);
    expect(await copy.get()).toBe('third');
  });

  it('loads whatever the age when told to', async () => {
    const { copy, source } = heldCopy();
    await copy.get();
    source.value = 'second';
    expect(await copy.reload()).toBe('second');
  });
});
