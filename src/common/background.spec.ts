import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Background, drain, WorkUnderWay } from './background.js';
import { Stopping } from './stopping.js';

const FAILURE = 'Nothing could be done; tried again in a minute';

describe('a tick', () => {
  const stopping = new Stopping();
  const background = new Background(stopping);
  afterEach(() => void vi.restoreAllMocks());

  it('joins the one of its name that is under way, and no other', async () => {
    const begun: string[] = [];
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const turn = (name: string, run: string): Promise<void> =>
      background.tick(name, FAILURE, async () => {
        begun.push(run);
        await ended;
      });
    const turns = [turn('one', 'first'), turn('one', 'second'), turn('other', 'third')];
    end();
    await Promise.all(turns);
    expect(begun).toEqual(['first', 'third']);
    await turn('one', 'fourth');
    expect(begun).toEqual(['first', 'third', 'fourth']);
  });

  it('logs a failure, at the level that it deserves, and throws nothing', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockReturnValue();
    const debug = vi.spyOn(Logger.prototype, 'debug').mockReturnValue();
    const error = new Error('away');
    await background.tick('one', FAILURE, () => Promise.reject(error));
    expect(warn).toHaveBeenCalledExactlyOnceWith(FAILURE, error);
    await background.tick(
      'one',
      FAILURE,
      () => Promise.reject(error),
      () => true,
    );
    expect(debug).toHaveBeenCalledExactlyOnceWith(FAILURE, error);
    expect(warn).toHaveBeenCalledOnce();
  });

  it('does not begin when the hub stops', async () => {
    stopping.begin();
    const work = vi.fn<() => Promise<void>>();
    await background.tick('one', FAILURE, work);
    expect(work).not.toHaveBeenCalled();
  });
});

describe('a drain', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('cuts nothing that ends by itself, and waits for what that begins', async () => {
    const works = new WorkUnderWay();
    const cut = vi.fn<() => void>();
    works.add(Promise.reject(new Error('away')));
    works.add(Promise.resolve().then(() => works.add(Promise.resolve())));
    await drain(() => works.idle(), cut);
    expect(cut).not.toHaveBeenCalled();
  });

  it('cuts what goes on for 4 s, and leaves what gives nothing back after 1 s more', async () => {
    const works = new WorkUnderWay();
    const cut = vi.fn<() => void>();
    works.add(new Promise(() => undefined));
    const drained = vi.fn<() => void>();
    void drain(() => works.idle(), cut).then(drained);
    await vi.advanceTimersByTimeAsync(3999);
    expect(cut).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1000);
    expect(cut).toHaveBeenCalledOnce();
    expect(drained).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(drained).toHaveBeenCalledOnce();
  });
});
