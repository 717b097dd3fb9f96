// Decorators want it; in a bundle it may come after them otherwise.
import 'reflect-metadata';
import { setFlagsFromString } from 'node:v8';

// Loading a few hundred modules fills V8's young generation again and again, and each time it
// doubles: some 27 MB that an idle hub would keep and never use. While loading it stays small,
// which is why the hub is imported only now; afterwards it grows with the load.
setFlagsFromString('--semi-space-growth-factor=1');
// A bundle's lines mean nothing to a reader; its maps are read with the first error that shows them.
process.setSourceMapsEnabled(true);
const { start } = await import('./start.js');
await start();
setFlagsFromString('--semi-space-growth-factor=2');
// A push leaves hardly anything behind that is alive: threads that collect together, and those that
// free its buffers and pages beside the work, cost more than they save, a tenth of all that a hub
// under load does (measured together). The old generation is still marked beside the work.
setFlagsFromString('--no-parallel-scavenge');
setFlagsFromString('--no-concurrent-array-buffer-sweeping');
setFlagsFromString('--no-concurrent-sweeping');
// On a host with much memory V8 lets the old generation grow to four times what is alive before it
// collects: 300 MB of which 60 are in use. Collecting earlier costs nothing that can be measured.
setFlagsFromString('--heap-growing-percent=60');
