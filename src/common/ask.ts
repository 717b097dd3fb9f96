import { request as httpRequest, type Agent, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { remark } from './remarks.js';
import { millisecondsSince } from './times.js';

/** Longest answer that is read, in bytes. */
const MOST_BYTES = 64 * 1024;

/** An answer, and what was seen on the way to it. */
export interface Asked {
  status: number;
  /** Where a redirect leads. */
  location: string | undefined;
  body: string;
  milliseconds: number;
  /** End of the certificate in Unix milliseconds; undefined without TLS. */
  certificateEnds: number | undefined;
}

/** No answer came. */
export class AskError extends Error {
  constructor(
    message: string,
    /** Of DNS, the connection, TLS or the proxy; `ETIMEDOUT` at the limit. */
    readonly code: string,
    readonly milliseconds: number,
  ) {
    super(message);
  }
}

interface Question {
  /** Posts it; a GET without one. */
  body?: string;
  agent?: Agent;
  limitMs: number;
}

/** Asks over a new connection of its own, unless `agent` has one; follows no redirect. @throws {AskError} */
export function ask(url: string, { body, agent, limitMs }: Question): Promise<Asked> {
  const started = performance.now();
  const signal = AbortSignal.timeout(limitMs);
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      const isLate = signal.aborted;
      const message = isLate ? remark('check_silent', { ms: limitMs }) : wordsOf(error);
      const code = isLate ? 'ETIMEDOUT' : (error.code ?? 'ERR_NETWORK');
      reject(new AskError(message, code, millisecondsSince(started)));
    };
    const request = send(url, {
      method: body === undefined ? 'GET' : 'POST',
      headers: body === undefined ? {} : { 'content-type': 'text/xml' },
      agent: agent ?? false,
      signal,
    });
    request.on('error', fail);
    // Node leaves such an answer, and the limit with it, to who listens.
    request.on('upgrade', (_response, socket) => {
      socket.destroy();
      fail(new Error('the answer switches to another protocol'));
    });
    request.on('response', (response) => {
      const certificateEnds = certificateEndOf(response);
      readBounded(response).then(
        (text) =>
          resolve({
            status: response.statusCode ?? 0,
            location: response.headers.location,
            body: text,
            milliseconds: millisecondsSince(started),
            certificateEnds,
          }),
        fail,
      );
    });
    request.end(body);
  });
}

function certificateEndOf({ socket }: IncomingMessage): number | undefined {
  const { valid_to: end } = (socket as Partial<TLSSocket>).getPeerCertificate?.() ?? {};
  return end === undefined ? undefined : Date.parse(end);
}

async function readBounded(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BYTES) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Most errors of the network name their code, some ("socket hang up") do not. */
function wordsOf({ code = '', message }: NodeJS.ErrnoException): string {
  const [line = ''] = message.split('\n');
  return line.includes(code) ? line : `${code}: ${line}`;
}
