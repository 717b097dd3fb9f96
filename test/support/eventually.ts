import { setTimeout as delay } from 'node:timers/promises';

const LIMIT_MS = 20_000;
const PAUSE_MS = 10;

/** Asks until `look` gives a value: for what another process, or the hub after its answer, does. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  limitMs = LIMIT_MS,
): Promise<T> {
  const until = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > until) throw new Error(`Waited ${limitMs} ms in vain: ${what}`);
    await delay(PAUSE_MS);
  }
}
