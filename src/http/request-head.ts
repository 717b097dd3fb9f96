import type { IncomingMessage, Server } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HubError } from '../common/hub-error.js';

/** Most headers that a request may have; browsers and proxies send some 30. */
const MAX_HEADERS = 100;
/** A name, with or without the dot of its root, or an address; a port. It may be empty (RFC 9112, 3.2). */
const HOST = /^(?:[\w-]+(?:\.[\w-]+)*\.?|\[[\da-f]*:[\da-f:.]*\])?(?::\d*)?$/i;
/** A request line that names the host (RFC 9112, 3.2.2), and what is behind it. */
const ABSOLUTE = /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)(.*)$/is;
/** How long what is left of a refused body is read and thrown away, in milliseconds. */
const LINGER_MS = 1000;

/**
 * What the head of a request is refused for whatever its route. Node drops headers beyond its own
 * limit without a word, and answers the other two without a body.
 */
export function headRefusal(request: IncomingMessage): HubError | undefined {
  const { rawHeaders, headers, httpVersion } = request;
  // Names and values.
  if (rawHeaders.length > 2 * MAX_HEADERS) {
    const message = `A request may have ${MAX_HEADERS} headers`;
    return new HubError('headers_too_large', message, { status: 431 });
  }
  // What is no name could pass by the hosts at which the hub is nothing but the drop-in address.
  if (headers.host !== undefined && !HOST.test(headers.host)) {
    return new HubError('bad_request', 'The Host header is malformed', { status: 400 });
  }
  // Older versions know neither of the two.
  if (httpVersion !== '1.1') return undefined;
  if (headers.host === undefined) {
    return new HubError('bad_request', 'The Host header is missing', { status: 400 });
  }
  if (headers.expect !== undefined && !asksToContinue(request)) {
    return new HubError('expectation_failed', 'The hub knows 100-continue only', { status: 417 });
  }
  return undefined;
}

/**
 * Leaves of a request line that names the host the path alone, for all who go by the path. A `Host`
 * beside it that says another one would have one request be two to whom it passes: it becomes a name
 * that {@link headRefusal} refuses.
 */
export function toOriginForm(request: IncomingMessage): void {
  const [whole, authority = '', rest = ''] = ABSOLUTE.exec(request.url ?? '') ?? [];
  if (whole === undefined) return;
  request.url = rest.startsWith('/') ? rest : `/${rest}`;
  const { host } = request.headers;
  if (host?.toLowerCase() !== authority.toLowerCase()) {
    request.headers.host = `${host ?? ''} ${authority}`;
  }
}

/** Whether a request comes with a body, or says that it does. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0);
}

/** Passes on what Node would answer by itself before there is a request for hooks. */
export function passOnExpectations(server: Server): void {
  for (const event of ['checkContinue', 'checkExpectation']) {
    server.on(event, (request, response) => server.emit('request', request, response));
  }
}

/**
 * Lets a client send the body that it asked leave for; called when nothing refuses it.
 * @param limit bytes beyond which the body will be refused.
 */
export function allowBody(request: FastifyRequest, reply: FastifyReply, limit: number): void {
  const length = Number(request.headers['content-length'] ?? 0);
  if (length <= limit && asksToContinue(request.raw)) reply.raw.writeContinue();
}

/**
 * Ends connections on which a body goes on coming after its request was answered. For a second it
 * is thrown away, so that the client gets to read the answer; a body that came with its head costs
 * no connection.
 */
export function endUnreadBodies(fastify: FastifyInstance): void {
  fastify.addHook('onResponse', ({ raw }, _reply, done) => {
    if (!raw.complete) {
      setTimeout(() => {
        // A request that was destroyed has no socket.
        if (!raw.complete && !raw.destroyed) raw.socket.destroy();
      }, LINGER_MS).unref();
    }
    done();
  });
}

function asksToContinue({ headers: { expect }, httpVersion }: IncomingMessage): boolean {
  return httpVersion === '1.1' && expect !== undefined && /^100-continue$/i.test(expect.trim());
}
