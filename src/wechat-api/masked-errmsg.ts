import type { Secret } from '../common/secret.js';

const MASK = '[secret]';
/** Longest text of WeChat's that goes into answers, logs and rows. */
const MAX_LENGTH = 500;
/** What is looked through for it. */
const MAX_READ = 4000;
/** So many characters of a secret in a row are too many. */
const RUN = 8;
/** The same where a text says it in another form, in which words are alike more easily. */
const DISGUISED_RUN = 12;

/** A credential by WeChat's own mark, such as `ticket@@@…`, however its mark is written. */
const MARKED = /[A-Za-z0-9_-]*(?:@|%40|&#(?:64|x40);){3}[^\s"'<>,;]*/gi;
/** Letters and digits as no words have them. */
const LONG_RUN = /[A-Za-z0-9_~+=%-]{20,}/g;
/** The id of a request, which is no secret although it looks like one. */
const REQUEST_ID = /^[0-9a-f]{6,8}(?:-[0-9a-f]{6,8}){1,3}$/i;

/**
 * WeChat's text as it may go into answers, logs and rows, 500 characters at the most. What is
 * hidden: 8 characters in a row of a secret that was sent, percent-encoded or not, in capitals or
 * not; what bears WeChat's mark of a credential (`…@@@`); long runs as tokens are. A text that says
 * a secret in yet another form (character references, blanks in between) is left out as a whole.
 */
export function maskedErrmsg(errmsg: unknown, secrets: Secret[]): string {
  const text = String(errmsg ?? '').slice(0, MAX_READ);
  const values = secrets.map((secret) => secret.reveal());
  const masked = values
    .reduce(withoutRuns, text)
    .replace(MARKED, MASK)
    .replace(LONG_RUN, (run) => (isTokenLike(run) ? MASK : run));
  return (values.some((value) => saysOtherwise(masked, value)) ? MASK : masked).slice(
    0,
    MAX_LENGTH,
  );
}

/** Hides what a text has in common with a secret. */
function withoutRuns(text: string, secret: string): string {
  const plain = withoutMark(secret);
  const length = Math.min(RUN, plain.length);
  if (length === 0) return text;
  const forms = [plain, encodeURIComponent(plain)].map((form) => form.toLowerCase());
  const known = new Set(forms.flatMap((form) => runsOf(form, length)));
  const runs = runsOf(text, length).map((run) => known.has(run.toLowerCase()));
  let clean = '';
  let hiddenTo = 0;
  for (const [at, hidden] of runs.entries()) {
    if (!hidden) continue;
    if (at > hiddenTo || hiddenTo === 0) clean += text.slice(hiddenTo, at) + MASK;
    hiddenTo = at + length;
  }
  return clean + text.slice(hiddenTo);
}

function withoutMark(secret: string): string {
  return secret.replace(/^\w*@@@/, '');
}

/** Every part of a text that is `length` characters long. */
function runsOf(text: string, length: number): string[] {
  const count = Math.max(text.length - length + 1, 0);
  return Array.from({ length: count }, (_, at) => text.slice(at, at + length));
}

function isTokenLike(run: string): boolean {
  if (REQUEST_ID.test(run) || !/[A-Za-z]/.test(run)) return false;
  return /\d/.test(run) || /(?:[a-z][A-Z].*){4}/.test(run);
}

/** Whether a text says much of a secret once its characters are read in another way. */
function saysOtherwise(text: string, secret: string): boolean {
  const bare = lettersOf(withoutMark(secret));
  const length = Math.min(bare.length, DISGUISED_RUN);
  if (length < RUN) return false;
  const known = new Set(runsOf(bare, length));
  return readings(text).some((reading) =>
    runsOf(lettersOf(reading), length).some((run) => known.has(run)),
  );
}

function lettersOf(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '');
}

/** A text with its escapes read, of one kind each. */
function readings(text: string): string[] {
  const hex = (_: string, digits: string): string => characterOf(Number.parseInt(digits, 16));
  const references = text
    .replace(/&#x([0-9a-f]{1,6});?/gi, hex)
    .replace(/&#(\d{1,7});?/g, (_, digits: string) => characterOf(Number(digits)));
  return [
    text,
    references,
    text.replace(/%([0-9a-f]{2})/gi, hex),
    text.replace(/\\u\{?([0-9a-f]{4,6})\}?/gi, hex).replace(/\\x([0-9a-f]{2})/gi, hex),
  ];
}

function characterOf(code: number): string {
  return code <= 0x10_ff_ff ? String.fromCodePoint(code) : '';
}
