import { Agent, request, type IncomingMessage } from 'node:http';
import { ADMIN_TOKEN } from './fake-settings.js';

/** Longer than any right answer of a hub takes. */
const ANSWER_LIMIT_MS = 25_000;

/** One request of a burst, with the admin token. */
export interface BurstRequest {
  url: string;
  /** Sent by POST as JSON; without it the request is a GET. */
  body?: unknown;
}

/** What a client saw: an answer, or how the connection failed. */
export interface BurstAnswer {
  status: number | null;
  token: string | undefined;
  /** Code of the connection's failure, such as `ECONNRESET`; null where there was an answer. */
  error: string | null;
}

/** Requests sent at the same moment, each on a connection of its own. */
export class Burst {
  /** Resolves when every request has left this process. */
  readonly sent: Promise<unknown>;
  /** Resolves when every request has an answer or has failed, in the order of the requests. */
  readonly answers: Promise<BurstAnswer[]>;
  private settledCount = 0;

  constructor(requests: BurstRequest[], agent: Agent) {
    const calls = requests.map((one) => send(one, agent));
    this.sent = Promise.all(calls.map(({ sent }) => sent));
    this.answers = Promise.all(
      calls.map(async ({ answer }) => {
        const seen = await answer;
        this.settledCount += 1;
        return seen;
      }),
    );
  }

  /** How many have been answered or have failed so far. */
  get settled(): number {
    return this.settledCount;
  }
}

/** Connections for bursts: as many as needed, kept for the next burst. */
export function burstAgent(): Agent {
  return new Agent({ keepAlive: true, maxFreeSockets: Infinity });
}

/** How often each outcome occurs: a status, or the code of a failure. */
export function tally(answers: BurstAnswer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, error } of answers) {
    const outcome = String(status ?? error);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

/** Sends one request; failures are answers too. */
export function send(
  { url, body }: BurstRequest,
  agent: Agent,
): { sent: Promise<void>; answer: Promise<BurstAnswer> } {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const outgoing = request(url, {
    agent,
    method: text === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${ADMIN_TOKEN}`,
      ...(text !== undefined && { 'content-type': 'application/json' }),
    },
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
  });
  const sent = new Promise<void>((resolve) => {
    outgoing.once('finish', resolve).once('close', resolve);
  });
  const answer = new Promise<BurstAnswer>((resolve) => {
    const fail = (error: NodeJS.ErrnoException): void =>
      resolve({ status: null, token: undefined, error: error.code ?? error.name });
    outgoing.on('error', fail);
    outgoing.on('response', (response) => read(response, resolve, fail));
  });
  outgoing.end(text);
  return { sent, answer };
}

function read(
  response: IncomingMessage,
  resolve: (answer: BurstAnswer) => void,
  fail: (error: Error) => void,
): void {
  let text = '';
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => (text += chunk));
  response.on('error', fail);
  response.on('end', () => {
    const status = response.statusCode ?? null;
    resolve({ status, token: tokenIn(text), error: null });
  });
}

function tokenIn(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { component_access_token?: string }).component_access_token;
  } catch {
    return undefined;
  }
}
