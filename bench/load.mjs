/**
 * The load generator, a process of its own so that no server shares its event loop. Takes
 * commands from `lib/load-client.mjs`: make a pool of pushes; keep 32 connections busy for a while.
 */
import { HttpConnection } from './lib/http-connection.mjs';
import { RequestPool, TOKEN_REQUEST } from './lib/pushes.mjs';
import { CONNECTIONS } from './lib/settings.mjs';
import { percentile } from './lib/statistics.mjs';

let pool;

/** One measurement: every connection sends its next request when the last one is answered. */
class Load {
  #latencies = [];
  #next = 0;
  #wrong = 0;
  #firstWrong;

  /** @param {{ kind: 'push' | 'read', port: number, ms: number, expected: string }} order */
  constructor(order) {
    this.order = order;
  }

  async run() {
    const opening = Array.from({ length: CONNECTIONS }, () => HttpConnection.open(this.order.port));
    const connections = await Promise.all(opening);
    const cpu = process.cpuUsage();
    const started = performance.now();
    const stopAt = started + this.order.ms;
    await Promise.all(connections.map((connection) => this.#keepBusy(connection, stopAt)));
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    for (const connection of connections) connection.close();
    return this.#result(seconds, (user + system) / 1e6 / seconds);
  }

  #keepBusy(connection, stopAt) {
    return new Promise((resolve, reject) => {
      let sentAt = 0;
      const sendNext = (now) => {
        const request = now < stopAt ? this.#take() : undefined;
        if (!request) return resolve();
        sentAt = now;
        connection.send(request);
      };
      connection.onFailure = reject;
      connection.onAnswer = (status, body) => {
        const now = performance.now();
        this.#latencies.push(now - sentAt);
        this.#check(status, body);
        sendNext(now);
      };
      sendNext(performance.now());
    });
  }

  /** The next request; undefined when the pushes are used up, which ends the measurement early. */
  #take() {
    if (this.order.kind === 'read') return TOKEN_REQUEST;
    this.#next += 1;
    return this.#next <= pool.size ? pool.at(this.#next - 1) : undefined;
  }

  #check(status, body) {
    const { kind, expected } = this.order;
    if (status === 200 && (kind === 'push' ? body === expected : body.startsWith(expected))) return;
    this.#wrong += 1;
    this.#firstWrong ??= `${status} ${body.slice(0, 300)}`;
  }

  #result(seconds, generatorCpu) {
    const sorted = Float64Array.from(this.#latencies).toSorted();
    return {
      answers: sorted.length,
      wrong: this.#wrong,
      firstWrong: this.#firstWrong,
      perSecond: sorted.length / seconds,
      p50: percentile(sorted, 50),
      p99: percentile(sorted, 99),
      generatorCpu,
    };
  }
}

async function obey(message) {
  if (message.pool !== undefined) {
    pool = RequestPool.ofPushes(message.pool);
    return pool.size;
  }
  return new Load(message).run();
}

process.on('message', async ({ id, ...message }) => {
  try {
    process.send({ id, result: await obey(message) });
  } catch (error) {
    process.send({ id, error: error.stack });
  }
});
process.on('disconnect', () => process.exit(0));
