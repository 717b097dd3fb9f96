import type { IncomingMessage, ServerResponse } from 'node:http';

/** Beyond the largest file that WeChat takes. Bytes. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** Reads a body and hands it over; a longer one than 64 MiB cuts the connection. */
export function readBytes(request: IncomingMessage, done: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) request.destroy();
    else chunks.push(chunk);
  });
  request.on('end', () => {
    done(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
  });
}

/** The same as text. */
export function readBody(request: IncomingMessage, done: (body: string) => void): void {
  readBytes(request, (bytes) => done(bytes.toString('utf8')));
}

/** Sends a whole answer; one whose connection is gone is dropped. */
export function sendBody(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}
