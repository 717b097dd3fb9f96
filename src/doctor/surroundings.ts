import type { ConfigProblem } from '../config/app-config.js';

/** What a command that looks at a hub from beside it knows, and a hub that runs never has. */
export class Surroundings {
  /** Why the database cannot be opened. */
  database: string | undefined;
  /** Why the master keys cannot be had. */
  keys: string | undefined;

  /** @param problems of the settings: no hub starts with them. */
  constructor(private readonly problems: readonly ConfigProblem[] = []) {
    if (this.isDatabaseUnnamed) this.database = 'the settings do not say which it is';
  }

  /** Lines about settings with which no hub starts. */
  get settings(): string[] {
    return this.problems.map(({ line }) => line.trim());
  }

  /** Whether the settings do not say which database it is. */
  get isDatabaseUnnamed(): boolean {
    // A problem without a name is one of all settings: none of `.env` was read.
    return this.problems.some(({ name = 'DATABASE_URL' }) => name === 'DATABASE_URL');
  }
}
