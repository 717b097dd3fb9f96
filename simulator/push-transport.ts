import { request, type Agent, type IncomingMessage } from 'node:http';

/** What a push was answered. */
export interface PushAnswer {
  /** HTTP status, `null` when no answer came. */
  status: number | null;
  body: string;
  /** Why no answer came (`connect ECONNREFUSED …`, `timeout after 5000 ms`), else `null`. */
  error: string | null;
  /** The same in a word: `timeout`, `stopped` or an errno name, `null` with an answer. */
  code: string | null;
}

/** A push as HTTP has it. */
export interface PushRequest {
  /** Complete, with the query. */
  url: string | URL;
  headers: Record<string, string>;
  body: string;
  agent: Agent;
  /** For name lookup, connection and answer together, as WeChat's 5 s are. Milliseconds. */
  timeoutMs: number;
  /** Characters of the answer that are kept. */
  maxCharacters: number;
}

/** Ends a push that is under way, for a reason. */
export type CancelPush = (error: Error, code: string) => void;

/**
 * Sends a push. What goes wrong is an answer too.
 * @param underWay holds the means to end the push while it lasts.
 */
export function postPush(
  { url, headers, body, agent, timeoutMs, maxCharacters }: PushRequest,
  underWay: Set<CancelPush> = new Set(),
): Promise<PushAnswer> {
  return new Promise((resolve) => {
    const length = { 'Content-Length': Buffer.byteLength(body) };
    const outgoing = request(url, { method: 'POST', agent, headers: { ...headers, ...length } });
    const settle = (answer: PushAnswer) => {
      clearTimeout(timer);
      underWay.delete(cancel);
      resolve(answer);
    };
    // Settled here: a request that waits for a free connection reports its end only when it has one.
    const cancel: CancelPush = (error, code) => {
      settle(failed(error, code));
      outgoing.destroy();
    };
    const timer = setTimeout(
      () => cancel(new Error(`timeout after ${timeoutMs} ms`), 'timeout'),
      timeoutMs,
    );
    underWay.add(cancel);
    const fail = (error: Error) => settle(failed(error));
    outgoing.on('error', fail);
    outgoing.on('response', (response) => readAnswer(response, maxCharacters, settle, fail));
    outgoing.end(body);
  });
}

function readAnswer(
  response: IncomingMessage,
  maxCharacters: number,
  settle: (answer: PushAnswer) => void,
  fail: (error: Error) => void,
): void {
  let body = '';
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    if (body.length < maxCharacters) body += chunk;
  });
  response.on('error', fail);
  response.on('end', () => {
    const status = response.statusCode ?? null;
    settle({ status, body: body.slice(0, maxCharacters), error: null, code: null });
  });
}

/** A refused connection to a name with two addresses is an AggregateError without a message. */
function failed(error: Error & { code?: string }, code = error.code ?? error.name): PushAnswer {
  return { status: null, body: '', error: error.message || code, code };
}
