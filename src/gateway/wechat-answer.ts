/** As much of an answer as is looked at, in bytes. */
export const BEGINNING_BYTES = 4096;

/** An errcode that begins an answer, with its errmsg before it at most. */
const EARLY = /^\s*\{\s*(?:"errmsg"\s*:\s*"(?:[^"\\]|\\.)*"\s*,\s*)?"errcode"\s*:\s*(-?\d{1,9})\b/;

/**
 * WeChat's errcode in an answer of HTTP 200, 0 where it has none; undefined for what is no JSON.
 * @param beginning at most {@link BEGINNING_BYTES} of it.
 * @param whole whether that is all of it.
 */
export function errcodeOf(beginning: Buffer, whole: boolean): number | undefined {
  // Pictures, sounds and archives begin otherwise.
  const text = beginning.toString('utf8').replace(/^\uFEFF/, '');
  if (!/^\s*[{[]/.test(text)) return undefined;
  if (!whole) return Number(EARLY.exec(text)?.[1] ?? 0);
  try {
    const { errcode } = JSON.parse(text) as { errcode?: unknown };
    return Number.isInteger(Number(errcode)) && errcode !== null ? Number(errcode) : 0;
  } catch {
    return Number(EARLY.exec(text)?.[1] ?? 0);
  }
}

/** Whether a type may be that of a JSON answer; WeChat sends them as `text/plain`, too. */
export function mayBeJson(type: string | undefined): boolean {
  return type === undefined || /json|text\/|javascript/i.test(type);
}
