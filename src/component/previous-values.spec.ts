import { describe, expect, it } from 'vitest';
import { PreviousValues } from './previous-values.js';

const MAX = 3;
const names = ({ list }: PreviousValues): string[] => list.map(({ value }) => value);

/** Values that were replaced one after another; those in capitals are used by WeChat. */
function replaced(...values: string[]): PreviousValues {
  let all = new PreviousValues([]);
  for (const [at, value] of values.entries()) {
    const used = value === value.toUpperCase() ? 1000 + at : null;
    all = all.with(value, at, used, MAX);
  }
  return all;
}

describe('the values before the current one', () => {
  it.each<[string, string[], string[]]>([
    ['newest first', ['a', 'b'], ['b', 'a']],
    ['no more than are kept', ['a', 'b', 'c', 'd'], ['d', 'c', 'b']],
    [
      'those that WeChat uses, however many come after them',
      ['A', 'B', 'c', 'd', 'e', 'f'],
      ['f', 'B', 'A'],
    ],
    ['of many that it has used those of last', ['A', 'B', 'C', 'D', 'e'], ['e', 'D', 'C']],
    ['one that comes again as the newest', ['A', 'b', 'A'], ['A', 'b']],
  ])('are kept: %s', (_, given, kept) => {
    expect(names(replaced(...given))).toEqual(kept);
  });

  it('end when the current one alone has been used for long enough, each by itself', () => {
    const all = replaced('a', 'b').unused(60).used('a', 5000).unused(40);
    expect(all.list.map(({ value, unusedMs }) => [value, unusedMs])).toEqual([
      ['b', 100],
      ['a', 40],
    ]);
    expect(names(all.unusedForLess(101))).toEqual(['b', 'a']);
    expect(names(all.unusedForLess(100))).toEqual(['a']);
    expect(all.find('a')?.lastUsedAt).toBe(5000);
    expect(all.without('a').find('a')).toBeUndefined();
  });

  it.each([
    ['one bare value', 'plainToken', ['plainToken']],
    ['values without their use', '[{"value":"a","replacedAt":7}]', ['a']],
    ['values with it', replaced('a', 'B').toStored() ?? '', ['B', 'a']],
  ])('are read as they are stored: %s', (_, stored, expected) => {
    const read = PreviousValues.parse(stored, 7);
    expect(names(read)).toEqual(expected);
    expect(PreviousValues.parse(read.toStored() ?? '', 0).list).toEqual(read.list);
  });

  it('are stored as nothing where there are none', () => {
    expect(new PreviousValues([]).toStored()).toBeNull();
  });
});
