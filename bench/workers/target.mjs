/** A service of the platform: a target that keeps what it took, or a responder. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { obey } from '../lib/worker.mjs';

let behaviour = { delayMs: 0, body: '', hang: false };
let key;
let port = 0;
let server;
let unsigned = 0;
/** By webhook-id: MsgId and when it was taken, in Unix milliseconds. */
const taken = new Map();
/** When calls arrived, by webhook-id. */
const arrivals = new Map();

function isSigned({ headers }, body) {
  const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const expected = createHmac('sha256', key).update(content).digest();
  const given = Buffer.from(String(headers['webhook-signature']).slice('v1,'.length), 'base64');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function take(request, body, response) {
  if (key && !isSigned(request, body)) {
    unsigned += 1;
    response.writeHead(401).end();
    return;
  }
  const id = request.headers['webhook-id'];
  push(arrivals, id, Date.now());
  if (behaviour.hang) return;
  const { delayMs } = behaviour;
  if (delayMs > 0) setTimeout(() => answer(id, body, response), delayMs);
  else answer(id, body, response);
}

function answer(id, body, response) {
  if (response.destroyed) return;
  const msgId = /"MsgId":"?(\d+)/.exec(body)?.[1];
  push(taken, id, { msgId, at: Date.now() });
  const type = 'application/json';
  const { length } = behaviour.body;
  response.writeHead(200, { 'content-type': type, 'content-length': length }).end(behaviour.body);
}

function push(map, id, value) {
  const known = map.get(id);
  if (known) known.push(value);
  else map.set(id, [value]);
}

async function listen() {
  server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => take(request, body, response));
    request.on('error', () => undefined);
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address());
}

await listen();

obey({
  url: () => `http://127.0.0.1:${port}/hook`,
  /** `secret` of the subscription; without one nothing is verified. */
  verify: ({ secret }) => {
    key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  },
  behave: (changes) => {
    behaviour = { ...behaviour, ...changes };
  },
  /** As by a crash: nobody listens, and what was under way has no answer. */
  down: async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
    return Date.now();
  },
  up: async () => {
    await listen();
    return Date.now();
  },
  counts: () => ({ unsigned }),
  taken: () => [...taken].map(([id, all]) => ({ id, all, arrivals: arrivals.get(id) })),
});
