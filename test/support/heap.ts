import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes of live objects, after what is garbage is gone. */
export function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  gc();
  gc();
  const { heapUsed: live, external, arrayBuffers } = process.memoryUsage();
  return live + external + arrayBuffers;
}
