import { request, type OutgoingHttpHeaders } from 'node:http';
import type { Answer } from './hub-client.js';

/** What `fetch` would correct or refuse to send. */
export interface RawRequest {
  method?: string;
  /** Path and query exactly as they go over the wire. */
  path: string;
  headers?: OutgoingHttpHeaders;
  /** Parts are sent chunked, without a length; a single body with its length. */
  body?: Buffer | string | Buffer[];
}

/** Sends exactly these bytes; an answer that comes before the body is through counts. */
export function rawRequest(baseUrl: string, raw: RawRequest): Promise<Answer> {
  const { hostname, port } = new URL(baseUrl);
  const { method = 'POST', path, body = '' } = raw;
  const headers = Array.isArray(body)
    ? raw.headers
    : { 'content-length': Buffer.byteLength(body), ...raw.headers };
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, method, path, headers, agent: false });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const status = response.statusCode ?? 0;
        resolve({ status, text, headers: toHeaders(response.headers), json: parse(text) });
      });
    });
    for (const part of Array.isArray(body) ? body : [body]) outgoing.write(part);
    outgoing.end();
  });
}

function toHeaders(headers: NodeJS.Dict<string | string[]>): Headers {
  return new Headers(
    Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]),
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
