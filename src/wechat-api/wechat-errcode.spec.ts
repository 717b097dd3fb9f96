import { describe, expect, it } from 'vitest';
import { kindOfErrcode, type FailureKind } from './wechat-errcode.js';

const MEANINGS: [FailureKind, number[]][] = [
  ['busy', [-1]],
  ['quota', [45009, 48006]],
  ['rate', [45011]],
  ['ticket', [61005, 61006]],
  ['secret', [40013, 40125, 41002, 41004, 61011]],
  ['token', [40001, 40014, 42001]],
  ['ip', [61004, 40164]],
  ['banned', [48004, 50002]],
  ['request', [41001, 43002, 44002, 47001, 48001]],
  ['code', [61009, 61010]],
  ['refresh_token', [42007, 61023]],
  ['withdrawn', [61003]],
  ['unknown', [1, 99999999, NaN]],
];

describe("WeChat's errcodes", () => {
  it.each(MEANINGS)('that mean %s: %j', (kind, errcodes) => {
    expect(errcodes.map(kindOfErrcode)).toEqual(errcodes.map(() => kind));
  });
});
