import cluster, { type Worker } from 'node:cluster';
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue } from 'prom-client';

/** What one worker has counted, as prom-client gives it. */
export type Share = MetricObjectWithValues<MetricValue<string>>[];

/** A worker that has not answered after so many milliseconds is left out of a scrape. */
const LIMIT_MS = 2000;

/** What workers and primary say to each other; `id` is the asker's. */
type Message =
  /** A worker asks for the shares of all others. */
  | { metrics: 'ask'; id: number }
  /** The primary asks a worker for its share. */
  | { metrics: 'want'; id: number }
  | { metrics: 'share'; id: number; share: Share }
  /** The primary has the shares. */
  | { metrics: 'shares'; id: number; shares: Share[] };

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && 'metrics' in value;
}

/** In the primary: gives a worker that asks what the others have counted. */
export function answerWorkers(): void {
  let lastId = 0;
  const wanted = new Map<number, (share: Share | undefined) => void>();
  const shareOf = (worker: Worker): Promise<Share | undefined> =>
    new Promise((resolve) => {
      lastId += 1;
      const id = lastId;
      const end = (share?: Share): void => {
        clearTimeout(limit);
        worker.off('exit', leave);
        wanted.delete(id);
        resolve(share);
      };
      const leave = (): void => end();
      const limit = setTimeout(leave, LIMIT_MS);
      worker.once('exit', leave);
      wanted.set(id, end);
      send(worker, { metrics: 'want', id });
    });
  const answer = async (worker: Worker, id: number, others: Worker[]): Promise<void> => {
    const given = await Promise.all(others.map(shareOf));
    const shares = given.filter((share) => share !== undefined);
    send(worker, { metrics: 'shares', id, shares });
  };
  const listening = new Set<Worker>();
  cluster.on('listening', (worker) => listening.add(worker));
  cluster.on('exit', (worker) => listening.delete(worker));
  cluster.on('message', (worker, message: unknown) => {
    if (!isMessage(message)) return;
    if (message.metrics === 'share') wanted.get(message.id)?.(message.share);
    if (message.metrics !== 'ask') return;
    const others = [...listening].filter((one) => one !== worker);
    void answer(worker, message.id, others);
  });
}

/** To a worker that may end meanwhile. */
function send(worker: Worker, message: Message): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}

/** In a worker: what it and all others have counted. */
export class WorkerMetrics {
  private lastId = 0;
  private readonly asked = new Map<number, (shares: Share[]) => void>();
  private readonly onMessage = (message: unknown): void => {
    if (!isMessage(message)) return;
    if (message.metrics === 'shares') this.asked.get(message.id)?.(message.shares);
    if (message.metrics !== 'want') return;
    const { id } = message;
    // Who cannot count is left out of the scrape, as one that is late.
    this.own().then(
      (share) => process.send?.({ metrics: 'share', id, share }),
      () => undefined,
    );
  };

  /** @param own what this worker has counted. */
  constructor(private readonly own: () => Promise<Share>) {
    process.on('message', this.onMessage);
  }

  /** The sum over all workers, in Prometheus' text format. */
  async text(): Promise<string> {
    const [own, others] = await Promise.all([this.own(), this.others()]);
    return AggregatorRegistry.aggregate([own, ...others]).metrics();
  }

  close(): void {
    process.off('message', this.onMessage);
  }

  private others(): Promise<Share[]> {
    return new Promise((resolve) => {
      this.lastId += 1;
      const id = this.lastId;
      const end = (shares: Share[]): void => {
        clearTimeout(limit);
        this.asked.delete(id);
        resolve(shares);
      };
      // The primary has a limit of its own; a dead one ends this process.
      const limit = setTimeout(() => end([]), 2 * LIMIT_MS);
      this.asked.set(id, end);
      process.send?.({ metrics: 'ask', id });
    });
  }
}
