import { newCode } from './random-values.js';

/** Under a load test codes are issued by the thousand; the oldest are forgotten beyond this. */
const REMEMBERED = 200_000;

interface IssuedCode<T> {
  value: T;
  /** Unix milliseconds. */
  expiresAtMs: number;
  uses: number;
}

/** What became of a code. */
export type CodeState<T> = { state: 'unknown' | 'used' | 'expired' } | { state: 'valid'; value: T };

/** Codes that are good for a limited time and a limited number of uses. */
export class CodeBook<T> {
  private readonly codes = new Map<string, IssuedCode<T>>();

  /** @param prefix what each code begins with, e.g. `preauthcode@@@`. */
  constructor(private readonly prefix: string) {}

  /** Issues a code that works until `expiresAtMs`, Unix milliseconds. */
  issue(value: T, expiresAtMs: number): string {
    const code = newCode(this.prefix);
    this.codes.set(code, { value, expiresAtMs, uses: 0 });
    if (this.codes.size > REMEMBERED) {
      // A Map iterates in the order of insertion, so the first key is the oldest.
      for (const oldest of this.codes.keys()) {
        this.codes.delete(oldest);
        break;
      }
    }
    return code;
  }

  /** Looks at a code without using it; a used one stays `used` when it has also expired. */
  look(code: string, nowMs: number, maxUses = 1): CodeState<T> {
    const issued = this.codes.get(code);
    if (!issued) return { state: 'unknown' };
    if (issued.uses >= maxUses) return { state: 'used' };
    if (nowMs >= issued.expiresAtMs) return { state: 'expired' };
    return { state: 'valid', value: issued.value };
  }

  /** Counts one use. */
  use(code: string): void {
    const issued = this.codes.get(code);
    if (issued) issued.uses += 1;
  }
}
