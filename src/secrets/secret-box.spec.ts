import { Logger } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import { SecretBox, SecretUnreadableError } from './secret-box.js';

const K1 = { id: 'k1', key: Buffer.alloc(32, 1) };
const K2 = { id: 'k2', key: Buffer.alloc(32, 2) };
const PLACE = 'component.app_secret:wx0123456789abcdef';
const SECRET = 'fake-secret-值';

describe('the secret box', () => {
  const box = new SecretBox([K1]);

  it.each(['', 'a', SECRET, 'x'.repeat(100_000), '\u0000\n<![CDATA[', '🔑'])(
    'gives back what was sealed for its place (%#)',
    (value) => {
      const sealed = box.seal(value, PLACE);
      expect(sealed).toMatch(/^enc:v1:k1:[A-Za-z0-9_-]+$/);
      expect(box.open(sealed, PLACE).reveal()).toBe(value);
    },
  );

  it('seals the same value differently each time', () => {
    const sealed = new Set(Array.from({ length: 100 }, () => box.seal(SECRET, PLACE)));
    expect(sealed.size).toBe(100);
  });

  it.each([
    ['another row', 'component.app_secret:wxfedcba9876543210'],
    ['another column', 'component.token:wx0123456789abcdef'],
    ['another table', 'components.app_secret:wx0123456789abcdef'],
    ['no place', ''],
  ])('does not open for %s', (_, place) => {
    const sealed = box.seal(SECRET, PLACE);
    expect(box.open(sealed, place).problem).toBeInstanceOf(SecretUnreadableError);
  });

  it('does not open a value of which one bit was changed, wherever', () => {
    const sealed = box.seal(SECRET, PLACE);
    const start = 'enc:v1:k1:'.length;
    const bytes = Buffer.from(sealed.slice(start), 'base64url');
    for (let index = 0; index < bytes.length; index += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(index) ^ 1, index);
      const value = sealed.slice(0, start) + changed.toString('base64url');
      const { problem } = box.open(value, PLACE);
      expect(problem, `byte ${index}`).toBeInstanceOf(SecretUnreadableError);
    }
  });

  it.each(['enc:v1:', 'enc:v1:k1:', 'enc:v1:k1:AAAA', 'enc:v1:k1', 'enc:v1:k1:!!!!'])(
    'does not open the fragment %s',
    (fragment) => {
      expect(box.open(fragment, PLACE).problem).toBeInstanceOf(SecretUnreadableError);
    },
  );

  it('names the place and the key that is missing, and nothing of the value', () => {
    const sealed = new SecretBox([K2]).seal(SECRET, PLACE);
    const secret = box.open(sealed, PLACE);
    const { problem } = secret;
    expect(problem).toMatchObject({ code: 'secret_unreadable', status: 500, level: 'error' });
    expect(problem?.message).toContain(PLACE);
    expect(problem?.message).toContain('MASTER_KEYS has no key "k2"');
    expect(problem?.message).not.toContain(sealed.slice('enc:v1:k2:'.length));
    expect(() => secret.reveal()).toThrow(problem);
  });

  it('does not open a value whose key id was written over with another key', () => {
    const both = new SecretBox([K1, K2]);
    const swapped = new SecretBox([K2]).seal(SECRET, PLACE).replace(':k2:', ':k1:');
    expect(both.open(swapped, PLACE).problem).toBeInstanceOf(SecretUnreadableError);
  });

  it('seals with the first key and opens with all', () => {
    const rotated = new SecretBox([K2, K1]);
    expect(rotated.open(box.seal(SECRET, PLACE), PLACE).reveal()).toBe(SECRET);
    const sealed = rotated.seal(SECRET, PLACE);
    expect(sealed.startsWith(rotated.currentPrefix)).toBe(true);
    expect(rotated.currentPrefix).toBe('enc:v1:k2:');
    expect(box.open(sealed, PLACE).problem).toBeInstanceOf(SecretUnreadableError);
  });

  it('logs what it cannot open once for each place, and again after it could', () => {
    const error = vi.spyOn(Logger.prototype, 'error').mockReturnValue();
    const well = box.seal(SECRET, PLACE);
    const opened = [well, 'enc:v1:', 'enc:v1:', 'enc:v1:k2:AAAA', well, 'enc:v1:'];
    for (const stored of opened) box.open(stored, PLACE);
    box.open('enc:v1:', 'another.place:1');
    expect(error.mock.calls.map(([message]) => /in (\S+) /.exec(message)?.[1])).toEqual([
      PLACE,
      PLACE,
      'another.place:1',
    ]);
    error.mockRestore();
  });

  it('takes a value without the mark as it is: an earlier version wrote it', () => {
    expect(box.open('ticket@@@plain', PLACE).reveal()).toBe('ticket@@@plain');
  });

  it('needs a key', () => {
    expect(() => new SecretBox([])).toThrow('At least one master key');
  });
});
