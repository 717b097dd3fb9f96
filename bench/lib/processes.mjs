import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { dataFolder } from './settings.mjs';

const START_LIMIT_MS = 60_000;
/** Linux counts a process's time in hundredths of a second. */
const TICK_MS = 10;
const running = new Set();
process.on('exit', killAll);

/**
 * Starts a process whose output goes to a file: a pipe that nobody empties would stop it.
 * @param {{ name: string, file: string, args?: string[], env?: Record<string, string> }} what
 */
export function start({ name, file, args = [], env = {} }) {
  const log = join(dataFolder(), `${name}.log`);
  const output = openSync(log, 'w');
  const child = spawn(file, args, {
    // A folder without .env: nothing but `env` counts.
    cwd: dataFolder(),
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const exited = once(child, 'exit');
  running.add(child);
  void exited.then(
    () => running.delete(child),
    () => running.delete(child),
  );
  return { name, child, exited, log };
}

/** Ends a process at once, as a crash would. */
export async function kill({ child, exited }) {
  child.kill('SIGKILL');
  await exited;
}

/** Ends whatever is still running; also done when this process ends, however that comes. */
function killAll() {
  for (const child of running) child.kill('SIGKILL');
}

/** Ends everything and leaves nothing but logs. */
export function cleanUp() {
  killAll();
  for (const name of readdirSync(dataFolder())) {
    if (!name.endsWith('.log')) rmSync(join(dataFolder(), name), { recursive: true, force: true });
  }
}

/** Asks until `look` gives a value: no event tells from outside that a server is ready. */
export async function untilReady(server, look) {
  const until = performance.now() + START_LIMIT_MS;
  while (performance.now() < until && server.child.exitCode === null) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    await delay(25);
  }
  throw new Error(`${server.name} did not start:\n${readFileSync(server.log, 'utf8')}`);
}

/** A port that nobody listens on. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Processor time that a process has used, in milliseconds; undefined where the system won't say. */
export function cpuMs({ child }) {
  return processMs(child.pid);
}

/** The same of a process that was started by another one. */
export function processMs(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return undefined;
  }
}

/** Most memory that a process has had at once, in MiB; NaN where the system won't say. */
export function peakMemory({ child }) {
  return memoryOf(child.pid, 'VmHWM');
}

/** Memory that a process holds now, likewise. */
export function residentMemory({ child }) {
  return memoryOf(child.pid, 'VmRSS');
}

function memoryOf(pid, field) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)[1]) / 1024;
  } catch {
    return NaN;
  }
}
