import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { HubError } from './hub-error.js';
import { constantTimeEqual, Secret, sha256Hex } from './secret.js';

const VALUE = 'fake-secret-of-at-least-24-characters';
const secret = new Secret(VALUE);
const holder = { secret, list: [secret], map: new Map([['secret', secret]]) };

describe('a Secret', () => {
  it('gives its value only when asked', () => {
    expect(secret.reveal()).toBe(VALUE);
  });

  it.each([
    ['a template', `${secret}`],
    ['a concatenation', 'a ' + secret],
    ['String()', String(secret)],
    ['JSON.stringify', JSON.stringify(secret)],
    ['JSON.stringify of an object that holds it', JSON.stringify(holder)],
    ['util.inspect', inspect(secret)],
    ['util.inspect of an object that holds it', inspect(holder, { depth: 9 })],
    ['util.inspect with hidden properties', inspect(holder, { showHidden: true, depth: 9 })],
    ['util.inspect without its own inspection', inspect(secret, { customInspect: false })],
    ['an error that has it as its cause', inspect(new Error('failed', { cause: secret }))],
  ])('does not show in %s', (_, shown) => {
    expect(shown).not.toContain(VALUE.slice(-4));
    expect(shown).not.toContain(VALUE.slice(0, 4));
  });

  it('shows as [secret] where it would have been printed', () => {
    expect(`${secret}`).toBe('[secret]');
    expect(JSON.stringify({ secret })).toBe('{"secret":"[secret]"}');
    expect(inspect({ secret })).toBe('{ secret: [secret] }');
  });

  it('has no property that a copy or a loop could find', () => {
    expect(Reflect.ownKeys(secret)).toEqual([]);
    expect(JSON.stringify({ ...secret })).toBe('{}');
    expect(() => structuredClone(secret)).not.toThrow();
    expect(JSON.stringify(structuredClone(secret))).not.toContain(VALUE);
  });

  it.each([
    [VALUE, '****ters'],
    ['123456789012345678901234', '****1234'],
    ['12345678901234567890123', '****'],
    ['', '****'],
  ])('masks "%s" as "%s"', (value, mask) => {
    expect(new Secret(value).mask()).toBe(mask);
  });

  it('compares with texts of any length', () => {
    expect(secret.equals(VALUE)).toBe(true);
    expect(secret.equals(VALUE.slice(1))).toBe(false);
    expect(secret.equals(`${VALUE} `)).toBe(false);
    expect(secret.equals('')).toBe(false);
  });

  it('that cannot be read says why and throws that, equals nothing and is masked as null', () => {
    const problem = new HubError('secret_unreadable', 'No key', { status: 500 });
    const unreadable = new Secret(problem);
    expect(secret.problem).toBeUndefined();
    expect(unreadable.problem).toBe(problem);
    expect(() => unreadable.reveal()).toThrow(problem);
    expect([unreadable.equals(''), unreadable.mask()]).toEqual([false, null]);
    expect(`${unreadable} ${JSON.stringify({ unreadable })}`).not.toContain('No key');
  });
});

describe('constantTimeEqual', () => {
  it.each([
    ['', '', true],
    ['a', 'a', true],
    ['全网', '全网', true],
    ['a', 'A', false],
    ['a', 'aa', false],
    ['a\0', 'a', false],
  ])('compares "%s" with "%s": %s', (a, b, expected) => {
    expect(constantTimeEqual(a, b)).toBe(expected);
  });
});

describe('sha256Hex', () => {
  it('gives the hash that every other program gives', () => {
    expect(sha256Hex('abc')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });
});
