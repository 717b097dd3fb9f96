import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import { LOG_FOLDER } from '../support/test-logs.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the SDKs are installed for this run. */
    sdkFolder: string;
  }
}

/** A folder for what is installed, SDK_FOLDER or one that is removed at the end; returns what does. */
export default function setup(project: TestProject): () => void {
  mkdirSync(LOG_FOLDER, { recursive: true });
  const given = process.env.SDK_FOLDER;
  if (given) {
    project.provide('sdkFolder', resolve(given));
    return () => undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'hub-sdk-'));
  project.provide('sdkFolder', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
