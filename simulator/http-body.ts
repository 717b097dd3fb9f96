import type { IncomingMessage, ServerResponse } from 'node:http';

/** No call to the simulator is anywhere near this long. Bytes. */
const MAX_BODY_BYTES = 1024 * 1024;

/** Reads a body and hands it over; a longer one than 1 MiB cuts the connection. */
export function readBody(request: IncomingMessage, done: (body: string) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) request.destroy();
    else chunks.push(chunk);
  });
  request.on('end', () => {
    const whole = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    done(whole?.toString('utf8') ?? '');
  });
}

/** Sends a whole answer; one whose connection is gone is dropped. */
export function sendBody(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string,
): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}
