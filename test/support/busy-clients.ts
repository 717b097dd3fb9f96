import { Agent, get } from 'node:http';

/** What came of one request: its status, or the code of the error that the client saw. */
export interface Outcome {
  at: number;
  result: number | string;
}

/**
 * Clients that ask again as soon as they have an answer, half of them on a connection that they
 * keep, half on a new one each time.
 */
export class BusyClients {
  readonly outcomes: Outcome[] = [];
  private readonly done: Promise<unknown>;

  /** @param url asked until nobody listens there any more. */
  constructor(url: string, count: number) {
    this.done = Promise.all(
      Array.from({ length: count }, (_, index) => this.run(url, index % 2 === 0)),
    );
  }

  /** Results, each once. */
  get results(): (number | string)[] {
    return [...new Set(this.outcomes.map(({ result }) => result))];
  }

  /** Resolves when all of them have found the port closed. */
  async refused(): Promise<void> {
    await this.done;
  }

  private async run(url: string, keepAlive: boolean): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    for (;;) {
      const result = await ask(url, agent);
      this.outcomes.push({ at: performance.now(), result });
      if (result === 'ECONNREFUSED') break;
    }
    agent.destroy();
  }
}

function ask(url: string, agent: Agent): Promise<number | string> {
  return new Promise((resolve) => {
    const request = get(url, { agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}
