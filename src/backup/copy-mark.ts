import { MASTER_KEY_ID } from '../config/variables.js';

/** Name of the setting that says that a database is a copy; the next hub that starts removes it. */
export const COPY_SETTING = 'copy_of';

/** What the mark of a copy says. */
export interface CopyMark {
  /** When the copy was made, or marked; ISO 8601. */
  madeAt: string;
  /** Ids of the master keys under which its secrets are. */
  masterKeys: string[];
}

/** Undefined where the text is no mark; what is one can be shown to people. */
export function parseMark(text: string): CopyMark | undefined {
  try {
    const { madeAt, masterKeys } = JSON.parse(text) as Partial<CopyMark>;
    if (new Date(madeAt ?? '').toISOString() !== madeAt || !Array.isArray(masterKeys))
      return undefined;
    const ids = masterKeys.map(String);
    return ids.every((id) => MASTER_KEY_ID.test(id)) ? { madeAt, masterKeys: ids } : undefined;
  } catch {
    return undefined;
  }
}
