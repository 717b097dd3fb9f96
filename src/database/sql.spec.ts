import { describe, expect, it } from 'vitest';
import { behind } from './sql.js';

describe('rows behind another one', () => {
  it.each([
    [['id'], undefined, '1 = 1', []],
    [['id'], { id: 'a' }, '((id > ?))', ['a']],
    [['x', 'y'], { x: 1, y: 2 }, '((x > ?) OR (x = ? AND y > ?))', [1, 1, 2]],
    [
      ['x', 'y', 'z'],
      { x: 1, y: 2, z: 3 },
      '((x > ?) OR (x = ? AND y > ?) OR (x = ? AND y = ? AND z > ?))',
      [1, 1, 2, 1, 2, 3],
    ],
  ])('of %j and %j', (columns, row, condition, values) => {
    expect(behind(columns, row)).toEqual({ condition, values });
  });
});
