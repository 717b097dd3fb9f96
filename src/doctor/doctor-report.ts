import { printable } from '../common/printable.js';
import type { DoctorCheckView, DoctorView } from './doctor.views.js';

const MARKS = { ok: '✓', warning: '!', failure: '✗', skipped: '–' };
/** Of terminals (ECMA-48). */
const COLOURS = { ok: 32, warning: 33, failure: 31, skipped: 2 };

/** One line for each check, those for details below it. @param colours for a terminal. */
export function linesOf(check: DoctorCheckView, colours: boolean): string {
  const { id, componentAppId, status, seen, remedy, docs, details } = check;
  const mark = colours ? `\x1b[${COLOURS[status]}m${MARKS[status]}\x1b[0m` : MARKS[status];
  const place = componentAppId === null ? id : `${id} ${componentAppId}`;
  const toDo = remedy === null ? '' : ` → ${remedy} [${docs}]`;
  const first = `${mark} ${place}: ${printable(seen + toDo)}`;
  return [first, ...details.map((line) => `    ${printable(line)}`)].join('\n');
}

/** 1 where a check failed, 2 where there are warnings only, else 0. */
export function exitCodeOf({ checks }: Pick<DoctorView, 'checks'>): number {
  const has = (status: string): boolean => checks.some((check) => check.status === status);
  if (has('failure')) return 1;
  return has('warning') ? 2 : 0;
}
