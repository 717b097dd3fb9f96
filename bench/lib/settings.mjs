import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SIMULATOR_COMPONENT } from '../../dist/simulator/defaults.js';

/** The platform that all servers are set up for: obvious fakes, the simulator's own. */
export const COMPONENT = SIMULATOR_COMPONENT;

/** Bearer token of the hub and of the bare server. */
export const ADMIN_TOKEN = 'fake-admin-token-of-the-benchmark';

/** Where ticket pushes and messages go. */
export const EVENTS_PATH = `/callback/${COMPONENT.appid}/events`;
export const MESSAGES_PATH = `/callback/${COMPONENT.appid}/messages/wxfedcba9876543210`;

/** Path of the token read. */
export const TOKEN_PATH = `/api/components/${COMPONENT.appid}/access-token`;

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
