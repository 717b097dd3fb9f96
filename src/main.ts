import { setFlagsFromString } from 'node:v8';

// Loading a few hundred modules fills V8's young generation again and again, and each time it
// doubles: some 27 MB that an idle hub would keep and never use. While loading it stays small,
// which is why the hub is imported only now; afterwards it grows with the load.
setFlagsFromString('--semi-space-growth-factor=1');
const { start } = await import('./start.js');
await start();
setFlagsFromString('--semi-space-growth-factor=2');
