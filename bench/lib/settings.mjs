import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SIMULATOR_COMPONENT } from '../../dist/simulator/defaults.js';

/** The platform that all servers are set up for: obvious fakes, the simulator's own. */
export const COMPONENT = { ...SIMULATOR_COMPONENT, pushUrl: null };

/** Bearer token of the hub and of the bare server. */
export const ADMIN_TOKEN = 'fake-admin-token-of-the-benchmark';

/** Path of the token read. */
export const TOKEN_PATH = `/api/components/${COMPONENT.appid}/access-token`;

/** Connections that are kept busy, each with one request at a time. */
export const CONNECTIONS = 32;

const ROOT = join(import.meta.dirname, '../..');

/** Files of the build and of the benchmark, by their path in the project. */
export function projectFile(path) {
  return join(ROOT, path);
}

/** Databases and logs of a run; beside the benchmark, because a system's /tmp may be memory. */
export function dataFolder() {
  const folder = join(ROOT, 'bench/data');
  mkdirSync(folder, { recursive: true });
  return folder;
}

const FULL = { warmUpMs: 3000, rounds: 5, pushMs: 3000, readMs: 2000, ceilingMs: 2000 };
const QUICK = { warmUpMs: 500, rounds: 3, pushMs: 500, readMs: 500, ceilingMs: 500 };

/** How long to measure; `--quick` shows that everything runs, its figures are not worth keeping. */
export function plan(args) {
  const unknown = args.filter((arg) => arg !== '--quick');
  if (unknown.length > 0) throw new Error(`Unknown option ${unknown[0]}; there is --quick`);
  const quick = args.includes('--quick');
  return { ...(quick ? QUICK : FULL), quick };
}
