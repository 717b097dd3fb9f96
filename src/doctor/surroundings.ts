/** What a command that looks at a hub from beside it knows, and a hub that runs never has. */
export class Surroundings {
  /** Lines about settings with which no hub starts. */
  settings: string[] = [];
  /** Whether the settings do not say which database it is. */
  isDatabaseUnnamed = false;
  /** Why the database cannot be opened. */
  database: string | undefined;
  /** Why the master keys cannot be had. */
  keys: string | undefined;
}
