import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { dataFolder } from './settings.mjs';
import { median } from './statistics.mjs';

const FSYNCS = 50;

/** What the figures depend on besides the code. */
export function describeMachine() {
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    system: systemName(),
    loadBefore: loadavg()[0],
    fsyncMs: fsyncMs(),
  };
}

function systemName() {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  } catch {
    return process.platform;
  }
}

/** Median time until the disk has 4 KiB: what every durable answer waits for. */
function fsyncMs() {
  const path = join(dataFolder(), 'fsync');
  const file = openSync(path, 'w');
  const times = Array.from({ length: FSYNCS }, () => {
    const started = performance.now();
    writeSync(file, Buffer.alloc(4096));
    fsyncSync(file);
    return performance.now() - started;
  });
  closeSync(file);
  rmSync(path);
  return median(times);
}
