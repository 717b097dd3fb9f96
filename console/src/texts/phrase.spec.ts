import { describe, expect, it } from 'vitest';
import { phrase } from './phrase';

describe('a text', () => {
  it.each([
    ['{count} accounts of {name}', { count: 3, name: 'Tea' }, undefined, '3 accounts of Tea'],
    ['{name} and {name}', { name: '{name}' }, undefined, '{name} and {name}'],
    ['{name} is not known', {}, undefined, '{name} is not known'],
    ['zero is {n}, nothing is {no}', { n: 0, no: null }, undefined, 'zero is 0, nothing is {no}'],
    ["{'{'}{'@'}{'|'}", {}, undefined, '{@|'],
    ['an address@of, {a: 1}, a|b', {}, undefined, 'an address@of, {a: 1}, a|b'],
    ['{n} request | {n} requests', { n: 1 }, 1, '1 request'],
    ['{n} request | {n} requests', { n: 0 }, 0, '0 requests'],
    ['{n} request | {n} requests', { n: '1,000' }, 1000, '1,000 requests'],
    ['{n} 个请求', { n: 2 }, 2, '2 个请求'],
    ['$& {name}', { name: '$& $1' }, undefined, '$& $& $1'],
  ])('%j with %j, count %j: %j', (text, values, count, expected) => {
    expect(phrase(text, values, count)).toBe(expected);
  });
});
