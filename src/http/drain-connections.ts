import type { RequestListener, Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';

/** How often connections are looked at that have become idle since, in milliseconds. */
const SWEEP_MS = 50;
/** After this, in milliseconds, what is still open is cut: a client that never ends may not stop the stop. */
const CUT_AFTER_MS = 6000;
/** The port is closed when nobody has connected for so long, in milliseconds. */
const QUIET_MS = 100;
/** It is closed after this, in milliseconds, if somebody goes on connecting. */
const QUIET_LIMIT_MS = 600;

/**
 * Lets requests that are under way finish when the server closes, and only those. Node closes the
 * connections that are idle at that moment; one that becomes idle, or was opened and never used,
 * would keep the server open for minutes.
 *
 * ```
 *   farewell ──▶ hold, until nobody connects ──▶ port closed ──▶ farewell ──▶ until all are done
 *   503 at once      answered when the port is closed        503          idle connections closed
 * ```
 *
 * A connection that the system has made and the process not yet accepted is reset when the port
 * closes. So answers are held back first: a client that waits for one does not connect again.
 *
 * @param farewellMs for so long, in milliseconds, requests that were already on their way are
 * answered 503 with `Connection: close`, so that no client finds its connection cut under one: once
 * before the port closes, and once more for those that had just connected. 0 for no farewell.
 */
export function drainConnectionsOnClose(fastify: FastifyInstance, farewellMs: number): void {
  const { server } = fastify;
  fastify.addHook('preClose', async () => {
    const closeIdle = server.closeIdleConnections.bind(server);
    const release = farewellMs > 0 ? await sayFarewell(server, farewellMs) : () => undefined;
    let sweep: NodeJS.Timeout | undefined;
    const grace = setTimeout(() => {
      closeIdle();
      sweep = setInterval(closeIdle, SWEEP_MS);
    }, farewellMs);
    const cut = setTimeout(() => server.closeAllConnections(), CUT_AFTER_MS);
    // Node calls it as it closes the port, and would cut connections whose first request is on its way.
    server.closeIdleConnections = () => void setImmediate(release);
    server.once('close', () => {
      clearTimeout(grace);
      clearInterval(sweep);
      clearTimeout(cut);
    });
  });
}

/** Resolves when the port may be closed, with what then answers the requests that were held. */
async function sayFarewell(server: Server, farewellMs: number): Promise<() => void> {
  await delay(farewellMs);
  const release = holdRequests(server);
  let connectedAt = performance.now();
  const note = (): void => void (connectedAt = performance.now());
  server.on('connection', note);
  const limit = connectedAt + QUIET_LIMIT_MS;
  for (
    let now = connectedAt;
    now < limit && now - connectedAt < QUIET_MS;
    now = performance.now()
  ) {
    await delay(QUIET_MS / 4);
  }
  server.off('connection', note);
  return release;
}

/** Keeps requests from the listeners that answer them until the returned function is called. */
function holdRequests(server: Server): () => void {
  const usual = server.listeners('request') as RequestListener[];
  const held: Parameters<RequestListener>[] = [];
  server.removeAllListeners('request');
  const hold: RequestListener = (...exchange) => void held.push(exchange);
  server.on('request', hold);
  return () => {
    // Fastify and Node both call it as they close the port.
    if (server.listenerCount('request', hold) === 0) return;
    server.removeAllListeners('request');
    for (const listener of usual) server.on('request', listener);
    for (const exchange of held) server.emit('request', ...exchange);
  };
}
