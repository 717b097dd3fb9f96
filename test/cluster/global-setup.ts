import { mkdirSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { LOG_FOLDER } from '../support/test-logs.js';
import { missingForGalera } from './galera-cluster.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** What this machine lacks for a cluster; '' where it has all. */
    clusterLacks: string;
  }
}

/** Says what is missing; a failure with REQUIRE_CLUSTER=1. */
export default async function setup(project: TestProject): Promise<void> {
  const missing = missingForGalera();
  if (missing !== '') {
    if (process.env.REQUIRE_CLUSTER === '1') throw new Error(`REQUIRE_CLUSTER=1, but ${missing}`);
    console.log(`The cluster is skipped: ${missing}`);
  }
  mkdirSync(LOG_FOLDER, { recursive: true });
  project.provide('clusterLacks', missing);
}
