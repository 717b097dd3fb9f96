import { describe, expect, it } from 'vitest';
import { importArguments } from './import-arguments.js';

const BASE = { file: '', platform: '', apply: false, concurrency: 10 };

describe('arguments of the import', () => {
  it.each([
    ['csv a.csv', { ...BASE, source: 'csv', file: 'a.csv' }],
    ['--apply csv a.csv', { ...BASE, source: 'csv', file: 'a.csv', apply: true }],
    ['wechat-mp --concurrency 50', { ...BASE, source: 'wechat-mp', concurrency: 50 }],
    ['wxcomponent --platform wx1', { ...BASE, source: 'wxcomponent', platform: 'wx1' }],
  ])('%s', (line, expected) => {
    expect(importArguments(line.split(' '))).toEqual(expected);
  });

  it.each([
    '',
    'legacy',
    'csv',
    'csv a b',
    'wechat-mp a',
    'wxcomponent',
    'csv a --platform wx1',
    'csv a --concurrency 0',
    'csv a --concurrency 51',
    'csv a --concurrency 1.5',
    'csv a --url mysql://x',
  ])('%j is answered with how it is used', (line) => {
    expect(() => importArguments(line.split(' '))).toThrow(/^Usage: npm run import/);
  });
});
