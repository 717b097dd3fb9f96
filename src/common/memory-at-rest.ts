import { Logger } from '@nestjs/common';
import { onTelemetry } from './telemetry.js';

/** Looked at so often, in milliseconds. */
const EVERY_MS = 30_000;
/** What shows that a hub has work to do; of so much between two looks it still rests. */
const WORK = ['http.request', 'delivery.attempt', 'wechat.call'] as const;
const WORK_AT_REST = 60;
/**
 * Share of a core from which on it works on something else, such as secrets that are rotated. Not a
 * sign of rest: one that does nothing uses 0.002 to 0.07, as the machine is (measured).
 */
const BUSY_SHARE = 0.25;
/** Growth that is worth a collection, in bytes. */
const WORTH_BYTES = 8 * 2 ** 20;

/**
 * Gives memory back to the system whenever the hub rests and holds more than it has to. V8 collects
 * when the heap has grown by more than half, which takes a hub at rest hours, and keeps the emptied
 * pages. A collection of this kind stops everything for some 0.3 s, so a hub with work to do is left
 * to V8's own rules.
 */
export function giveMemoryBackAtRest(everyMs = EVERY_MS): void {
  let work = 0;
  for (const name of WORK) onTelemetry(name, () => (work += 1));
  let cpu = process.cpuUsage();
  let lookedAt = performance.now();
  // The start itself leaves much behind.
  let kept = 0;
  let collecting = false;
  const look = async (): Promise<void> => {
    const { user, system } = process.cpuUsage(cpu);
    const share = (user + system) / 1000 / (performance.now() - lookedAt);
    cpu = process.cpuUsage();
    lookedAt = performance.now();
    const rests = work <= WORK_AT_REST && share < BUSY_SHARE;
    work = 0;
    const isWorthIt = process.memoryUsage.rss() >= kept + WORTH_BYTES;
    if (collecting || !rests || !isWorthIt) return;
    collecting = true;
    await collect();
    kept = process.memoryUsage.rss();
    collecting = false;
  };
  setInterval(() => void look(), everyMs).unref();
}

/** V8's answer to a system short of memory: collects all there is, compacts, and frees the pages. */
async function collect(): Promise<void> {
  try {
    // Of all ways to ask V8 for this it is the one that needs no flag, and that Node 20 has, too.
    const { Session } = await import('node:inspector/promises');
    const session = new Session();
    session.connect();
    await session.post('HeapProfiler.collectGarbage').finally(() => session.disconnect());
  } catch (error) {
    new Logger('Memory').warn('Memory could not be collected', error);
  }
}
