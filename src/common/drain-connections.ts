import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';

/** How often connections are looked at that have become idle since, in milliseconds. */
const SWEEP_MS = 50;
/** After this, in milliseconds, what is still open is cut: a client that never ends may not stop the stop. */
const CUT_AFTER_MS = 6000;

/**
 * Lets requests that are under way finish when the server closes, and only those. Node closes the
 * connections that are idle at that moment; one that becomes idle, or was opened and never used,
 * would keep the server open for minutes.
 * @param farewellMs for so long, in milliseconds, requests that were already on their way are
 * answered 503 with `Connection: close`, so that no client finds its connection cut under one.
 */
export function drainConnectionsOnClose(fastify: FastifyInstance, farewellMs: number): void {
  const { server } = fastify;
  fastify.addHook('preClose', async () => {
    await delay(farewellMs);
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
    const cut = setTimeout(() => server.closeAllConnections(), CUT_AFTER_MS);
    server.once('close', () => {
      clearInterval(sweep);
      clearTimeout(cut);
    });
  });
}
