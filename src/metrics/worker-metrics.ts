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

/** Questions to another process, each with an id, by which its answer is known. */
class Questions<A> {
  private lastId = 0;
  private readonly open = new Map<number, (answer: A | undefined) => void>();

  /** @returns undefined where no answer comes within the limit, in milliseconds. */
  ask(limitMs: number, put: (id: number) => void): Promise<A | undefined> {
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve) => {
      const limit = setTimeout(() => this.answer(id, undefined), limitMs);
      this.open.set(id, (answer) => {
        clearTimeout(limit);
        this.open.delete(id);
        resolve(answer);
      });
      put(id);
    });
  }

  /** Unless it is too late. */
  answer(id: number, answer: A | undefined): void {
    this.open.get(id)?.(answer);
  }
}

/** In the primary: gives a worker that asks what the others have counted. */
export function answerWorkers(): void {
  const questions = new Questions<Share>();
  const listening = new Set<Worker>();
  const shareOf = async (worker: Worker): Promise<Share | undefined> => {
    let leave = (): void => undefined;
    const asking = questions.ask(LIMIT_MS, (id) => {
      leave = (): void => questions.answer(id, undefined);
      worker.once('exit', leave);
      send(worker, { metrics: 'want', id });
    });
    return asking.finally(() => worker.off('exit', leave));
  };
  const answer = async (worker: Worker, id: number): Promise<void> => {
    const others = [...listening].filter((one) => one !== worker);
    const given = await Promise.all(others.map(shareOf));
    const shares = given.filter((share) => share !== undefined);
    send(worker, { metrics: 'shares', id, shares });
  };
  cluster.on('listening', (worker) => listening.add(worker));
  cluster.on('exit', (worker) => listening.delete(worker));
  cluster.on('message', (worker, message: unknown) => {
    if (!isMessage(message)) return;
    if (message.metrics === 'share') questions.answer(message.id, message.share);
    if (message.metrics === 'ask') void answer(worker, message.id);
  });
}

/** To a worker that may end meanwhile. */
function send(worker: Worker, message: Message): void {
  if (worker.isConnected()) worker.send(message, () => undefined);
}

/** In a worker: what it and all others have counted. */
export class WorkerMetrics {
  private readonly questions = new Questions<Share[]>();
  private readonly onMessage = (message: unknown): void => {
    if (!isMessage(message)) return;
    if (message.metrics === 'shares') this.questions.answer(message.id, message.shares);
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
    // The primary has a limit of its own; a dead one ends this process.
    const asking = this.questions.ask(2 * LIMIT_MS, (id) => process.send?.({ metrics: 'ask', id }));
    const [own, others = []] = await Promise.all([this.own(), asking]);
    return AggregatorRegistry.aggregate([own, ...others]).metrics();
  }

  close(): void {
    process.off('message', this.onMessage);
  }
}
