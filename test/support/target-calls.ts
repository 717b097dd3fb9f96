import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { ProxySettings } from '../../src/common/proxy-agent.js';
import { TargetLookup } from '../../src/webhook/target-lookup.js';
import type { Resolve } from '../../src/webhook/target-names.js';
import { TargetClient, type TargetCall } from '../../src/webhook/target.client.js';
import { FakeClock } from './fake-clock.js';

const clients: TargetClient[] = [];

/** Closes the connections of all clients that were made. */
export function closeClients(): void {
  for (const made of clients.splice(0)) made.onApplicationShutdown();
}

/** What may be called, with a resolver in the place of all name servers. */
export function lookupFor(
  allowedTargets: string[],
  resolve: Resolve = async () => [],
  clock = new FakeClock(),
): TargetLookup {
  const names = { dns: resolve, system: resolve };
  return new TargetLookup({ delivery: { allowedTargets, timeoutMs: 1000 } }, clock, names);
}

/** A client that may call `allowed`, with a resolver that says `addresses` of every name. */
export function targetClient(
  allowed: string[],
  addresses: LookupAddress[] = [],
  kept?: ConstructorParameters<typeof TargetClient>[1],
  proxies?: ProxySettings,
): TargetClient {
  const lookup = lookupFor(allowed, async () => addresses);
  const made = new TargetClient(lookup, kept, proxies && { proxies });
  clients.push(made);
  return made;
}

/** A call of `url`. */
export function targetCall(url: string, changes: Partial<TargetCall> = {}): TargetCall {
  return {
    url,
    headers: { 'content-type': 'application/json' },
    body: '{}',
    timeoutMs: 2000,
    readBody: true,
    ...changes,
  };
}

/** Calls a target that answers each request with these bytes; the server is closed afterwards. */
export async function rawTarget(
  answer: (socket: Socket) => void,
  work: (url: string, server: Server) => Promise<void>,
): Promise<void> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => open.delete(socket));
    socket.on('data', () => answer(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server);
  } finally {
    for (const socket of open) socket.destroy();
    server.close();
  }
}

/** Resolves when the server's next connection has ended; fails after 5 s. */
export function nextEnd(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error('The connection stays open')), 5000);
    server.once('connection', (socket: Socket) => {
      socket.once('close', () => {
        clearTimeout(limit);
        resolve(performance.now());
      });
    });
  });
}
