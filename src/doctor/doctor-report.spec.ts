import { describe, expect, it } from 'vitest';
import { exitCodeOf, linesOf } from './doctor-report.js';
import { doctorExample } from './doctor.views.js';
import type { CheckStatus } from './findings.js';

const [example] = doctorExample.checks;
if (!example) throw new Error('There is no example');

describe('the report of the doctor', () => {
  it.each<[CheckStatus[], number]>([
    [['ok', 'skipped'], 0],
    [['ok', 'warning'], 2],
    [['warning', 'failure', 'ok'], 1],
    [[], 0],
  ])('of %j ends with %i', (statuses, code) => {
    const checks = statuses.map((status) => ({ ...example, status }));
    expect(exitCodeOf({ checks })).toBe(code);
  });

  it('has a line for a check, with what to do and where to read on, and one for each detail', () => {
    expect(linesOf(example, false)).toBe(
      '✓ ticket wx0123456789abcdef: The newest ticket is 4 min old',
    );
    const failing = { status: 'failure', remedy: 'Do it', docs: 'docs/doctor.md#ticket' } as const;
    const forged = { seen: 'a\u001b[2J\n✓ b\u202e', details: ['c\u009b31m'] };
    expect(linesOf({ ...example, ...forged }, false)).toBe(
      '✓ ticket wx0123456789abcdef: a�[2J�✓ b�\n    c�31m',
    );
    expect(linesOf({ ...example, ...failing, componentAppId: null, details: ['a'] }, true)).toBe(
      '\x1b[31m✗\x1b[0m ticket: The newest ticket is 4 min old → Do it [docs/doctor.md#ticket]\n    a',
    );
  });
});
