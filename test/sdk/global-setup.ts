import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { LOG_FOLDER } from '../support/test-logs.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the SDKs are installed for this run. */
    sdkFolder: string;
  }
}

/** A folder for what is installed; returns what removes it. */
export default function setup(project: TestProject): () => void {
  mkdirSync(LOG_FOLDER, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'hub-sdk-'));
  project.provide('sdkFolder', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
