import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LogBrake } from './log-brake.js';

describe('a brake on lines that strangers cause', () => {
  let brake: LogBrake;
  let written: Record<string, unknown>[];
  beforeEach(() => {
    brake = new LogBrake();
    written = [];
    vi.spyOn(Logger.prototype, 'log').mockImplementation((message: unknown, fields: object) => {
      written.push({ message, ...fields });
    });
  });
  afterEach(() => vi.restoreAllMocks());

  const log = (kind: string, sender: string, more: object = {}): void =>
    brake.log(kind, sender, { level: 'log', message: 'Refused', fields: { kind }, ...more });

  it('logs the first at once, and the number of the others once a period', () => {
    for (let index = 0; index < 150_000; index += 1) log('push', '192.0.2.1');
    const line = { message: 'Refused', kind: 'push', sourceAddress: '192.0.2.1' };
    expect(written).toEqual([line]);
    brake.flush();
    expect(written).toEqual([line, { ...line, repeated: 149_999 }]);
    brake.flush();
    expect(written).toHaveLength(2);
  });

  it('begins again with the next after a period of silence', () => {
    log('push', '192.0.2.1');
    brake.flush();
    log('push', '192.0.2.1');
    expect(written.map(({ repeated }) => repeated)).toEqual([undefined, undefined]);
  });

  it('goes on counting those who do not fall silent', () => {
    for (let period = 0; period < 3; period += 1) {
      log('push', '192.0.2.1');
      log('push', '192.0.2.1');
      brake.flush();
    }
    expect(written.map(({ repeated }) => repeated)).toEqual([undefined, 1, 2, 2]);
  });

  it('has few lines for many senders, and none of another kind suffers', () => {
    for (let index = 0; index < 10_000; index += 1) log('push', `192.0.2.${index}`);
    expect(written).toHaveLength(6);
    expect(written.at(-1)).toMatchObject({ sourceAddress: 'other' });
    log('bearer', '192.0.2.1');
    expect(written.at(-1)).toMatchObject({ kind: 'bearer', sourceAddress: '192.0.2.1' });
    brake.flush();
    expect(written.at(-1)).toMatchObject({ sourceAddress: 'other', repeated: 9994 });
    expect(written).toHaveLength(8);
    // All but those who were counted are forgotten: there is room again.
    log('push', '203.0.113.1');
    expect(written.at(-1)).toMatchObject({ sourceAddress: '203.0.113.1' });
  });

  it('is bounded over all kinds, and still says of each that there was one', () => {
    for (let kind = 0; kind < 100; kind += 1) {
      for (let index = 0; index < 100; index += 1) log(`kind ${kind}`, `192.0.2.${index}`);
    }
    expect(written.length).toBeLessThanOrEqual(150);
    expect(new Set(written.map(({ kind }) => kind)).size).toBe(100);
  });

  it('logs a stack once, and what is left when the hub stops', () => {
    const error = new Error('fake');
    const errors = vi.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
    log('push', '192.0.2.1', { level: 'error', error });
    log('push', '192.0.2.1', { level: 'error', error });
    brake.onApplicationShutdown();
    const more = { kind: 'push', sourceAddress: '192.0.2.1' };
    expect(errors.mock.calls).toEqual([
      ['Refused', error, more],
      ['Refused', { ...more, repeated: 1 }],
    ]);
  });
});
