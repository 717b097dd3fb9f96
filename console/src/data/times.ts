import { ref } from 'vue';
import { language } from './preferences';
import { unitOf } from './time-units';

/** The time now, in Unix milliseconds, renewed each second. */
export const now = ref(Date.now());
setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1000);

const LOCALES = { zh: 'zh-CN', en: 'en-GB' };

export function locale(): string {
  return LOCALES[language.value];
}

/** A length of time in one unit: "12 min". */
export function duration(seconds: number): string {
  const [unit, size] = unitOf(seconds);
  const format = { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 0 } as const;
  return new Intl.NumberFormat(locale(), format).format(Math.floor(Math.abs(seconds) / size));
}

/** How far a moment is from now: "3 min ago", "in 2 hr". */
export function fromNow(at: number, from = now.value): string {
  const seconds = (at - from) / 1000;
  const [unit, size] = unitOf(seconds);
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto', style: 'short' });
  return format.format(Math.trunc(seconds / size), unit);
}

/** A moment in the reader's own time; today without the date, `brief` without seconds. */
export function localTime(at: number, { precise = false, brief = false } = {}): string {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date(now.value).toDateString();
  // A month in letters: of 05/06 nobody knows which is which.
  const month = language.value === 'en' ? 'short' : '2-digit';
  const day = language.value === 'en' ? 'numeric' : '2-digit';
  return new Intl.DateTimeFormat(locale(), {
    ...(isToday && !precise ? {} : { month, day }),
    ...(date.getFullYear() === new Date(now.value).getFullYear() && !precise
      ? {}
      : { year: 'numeric' }),
    hour: '2-digit',
    minute: '2-digit',
    ...(brief ? {} : { second: '2-digit' }),
    hourCycle: 'h23',
  }).format(date);
}

/** A number with the reader's separators. */
export function number(value: number): string {
  return new Intl.NumberFormat(locale()).format(value);
}
