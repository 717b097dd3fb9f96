import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { v4 as uuidv4 } from 'uuid';
import { HubError } from '../common/hub-error.js';
import { closingAnswer } from './raw-answer.js';
import { senderOf } from '../common/source-address.js';
import { Tally } from '../common/tally.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Largest body that is read, in bytes, but for those that are handed on: that of a push. */
export const BODY_LIMIT = MIB;

/** How much one process takes on at a time. */
export interface GateLimits {
  connections: number;
  /** Of one address, unless it is a trusted proxy's. */
  connectionsPerAddress: number;
  /** Requests under way that are neither pushes nor for health. */
  requests: number;
  /**
   * The same of one address, unless it is a trusted proxy's. Those that want the token do not count:
   * without it they are refused at once, and with it hundreds may wait for one refresh.
   */
  requestsPerAddress: number;
  /** Calls of WeChat by the gateway: each may wait for WeChat. */
  calls: number;
  /** Requests for health: an orchestrator must see that a busy hub lives. */
  health: number;
  /** The same of one address, unless it is a trusted proxy's. */
  healthPerAddress: number;
  /** Pushes of WeChat's under way: a responder may let 300 a second wait for 4.5 s. */
  pushes: number;
  /** Requests that wait on a connection for the answer to the one before; more end the connection. */
  pipelined: number;
  /** Bytes of bodies that are still being received; small bodies do not count. */
  receivingBytes: number;
  /** The same of one address, unless it is a trusted proxy's. */
  receivingBytesPerAddress: number;
  /** Largest body that is not counted, in bytes: nearly every push and call. */
  smallBody: number;
  /** What a body of unknown length counts, in bytes: the longest that is read. */
  largestBody: number;
  /**
   * Milliseconds within which a request must have come: its headers, and its body after them. The
   * body of a call by the gateway is as slow as its caller.
   */
  requestMs: number;
  /** Milliseconds without a byte in either direction that end a connection, unless it is idle. */
  silenceMs: number;
  /** The same in a call by the gateway: longer than WeChat may be silent in it. */
  callSilenceMs: number;
}

export const GATE_LIMITS: GateLimits = {
  connections: 4000,
  connectionsPerAddress: 1000,
  requests: 256,
  requestsPerAddress: 64,
  calls: 1000,
  health: 64,
  healthPerAddress: 16,
  pushes: 4000,
  pipelined: 16,
  receivingBytes: 64 * MIB,
  receivingBytesPerAddress: 16 * MIB,
  smallBody: 16 * KIB,
  largestBody: BODY_LIMIT,
  requestMs: 10_000,
  silenceMs: 30_000,
  callSilenceMs: 310_000,
};

/** How often Node looks for requests that are late, in milliseconds. */
const LATE_CHECK_MS = 1000;
/** Milliseconds for which a connection is kept after an answer: longer than balancers keep theirs. */
const KEEP_ALIVE_MS = 72_000;
const CALLBACK_PATH = /^\/+callback\//i;
const HEALTH_PATH = /^\/+health\//i;
const TOKEN_PATH = /^\/+(?:api|admin)\//i;
const CALL_PATH = /^\/+(?:proxy|wx)\//i;

type Kind = 'requests' | 'calls' | 'health' | 'pushes';

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
}

/** Requests of one connection: one is answered at a time. */
interface Connection {
  /** By which it is counted; empty for a proxy's, whose connections are many people's. */
  address: string;
  busy: boolean;
  waiting: Exchange[];
}

/**
 * Comes before the framework and bounds what strangers can make a process hold: one request
 * at a time on a connection, and limits on connections, on requests under way and on bytes being
 * received, of one address and in all. A request that exceeds them is answered 503 with
 * `Connection: close` before anything is read or done for it; pushes and requests for health have
 * room of their own. A connection that exceeds them, or on which too many requests wait, is cut without an answer.
 */
export class RequestGate {
  private readonly connections = new WeakMap<Socket, Connection>();
  private readonly connected = new Tally();
  private readonly receiving = new Tally();
  private readonly underWay = {
    requests: new Tally(),
    calls: new Tally(),
    health: new Tally(),
    pushes: new Tally(),
  };

  /** @param isProxy whether an address is a trusted proxy's, which speaks for many clients. */
  constructor(
    private readonly limits: GateLimits,
    private readonly isProxy: (address: string) => boolean,
  ) {}

  /** A server that hands to `handler` what the limits allow. */
  createServer(handler: RequestListener): Server {
    const { requestMs, silenceMs, callSilenceMs, connections } = this.limits;
    const server = createServer(
      {
        // Refused in the form that all errors have.
        requireHostHeader: false,
        // Bodies have a limit of their own below.
        requestTimeout: 0,
        headersTimeout: requestMs,
        connectionsCheckingInterval: LATE_CHECK_MS,
      },
      (request, response) => {
        // Node puts the usual time back with the connection's next request.
        if (CALL_PATH.test(request.url ?? '')) request.socket.setTimeout(callSilenceMs);
        else endLateBody(server, request, requestMs);
        this.arrived({ request, response }, handler);
      },
    );
    server.timeout = silenceMs;
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    server.maxConnections = connections;
    server.on('connection', (socket) => this.connect(socket));
    return server;
  }

  private connect(socket: Socket): void {
    const address = this.countedAddress(socket);
    this.connections.set(socket, { address, busy: false, waiting: [] });
    const held = this.connected.add(address, 1);
    socket.once('close', () => this.connected.add(address, -1));
    if (address && held > this.limits.connectionsPerAddress) socket.destroy();
  }

  private arrived(exchange: Exchange, handler: RequestListener): void {
    const { socket } = exchange.request;
    const connection = this.connections.get(socket);
    if (!connection) socket.destroy();
    else if (!connection.busy) this.begin(exchange, connection, handler);
    else if (connection.waiting.length < this.limits.pipelined) connection.waiting.push(exchange);
    else {
      connection.waiting = [];
      if (socket.destroyed) return;
      abortCheaply(socket);
      socket.destroy();
    }
  }

  private begin(exchange: Exchange, connection: Connection, handler: RequestListener): void {
    const { request, response } = exchange;
    connection.busy = true;
    const release = this.admit(request, connection);
    response.once('close', () => {
      release?.();
      connection.busy = false;
      const next = connection.waiting.shift();
      if (next && !request.socket.destroyed) this.begin(next, connection, handler);
    });
    if (release) handler(request, response);
    else refuse(response);
  }

  /** Counts a request; what undoes that, or undefined where a limit is reached. */
  private admit(request: IncomingMessage, { address }: Connection): (() => void) | undefined {
    const { url = '' } = request;
    const kind = kindOf(url);
    const underWay = this.underWay[kind];
    const isOpen = kind === 'health' || (kind === 'requests' && !TOKEN_PATH.test(url));
    const counted = isOpen ? address : '';
    const received = this.receive(request, address);
    const isFull = underWay.total >= this.limits[kind];
    if (!received || isFull || (counted && underWay.of(counted) >= this.shareOf(kind))) {
      received?.();
      return undefined;
    }
    underWay.add(counted, 1);
    return () => {
      underWay.add(counted, -1);
      received();
    };
  }

  /** How much one address may have of a kind. */
  private shareOf(kind: Kind): number {
    const { requestsPerAddress, healthPerAddress } = this.limits;
    return kind === 'health' ? healthPerAddress : requestsPerAddress;
  }

  private receive(request: IncomingMessage, address: string): (() => void) | undefined {
    const bytes = this.expectedBytes(request);
    if (bytes <= this.limits.smallBody) return () => undefined;
    const { receivingBytes, receivingBytesPerAddress } = this.limits;
    const ofAddress = this.receiving.add(address, bytes);
    let counted = true;
    const release = (): void => {
      if (counted) this.receiving.add(address, -bytes);
      counted = false;
    };
    const tooMuch = this.receiving.total > receivingBytes;
    if (tooMuch || (address && ofAddress > receivingBytesPerAddress)) {
      release();
      return undefined;
    }
    request.once('end', release);
    return release;
  }

  private expectedBytes({ headers }: IncomingMessage): number {
    const { largestBody } = this.limits;
    if ('transfer-encoding' in headers) return largestBody;
    // What is longer is refused by its length, and not read.
    return Math.min(Number(headers['content-length'] ?? 0), largestBody);
  }

  private countedAddress({ remoteAddress }: Socket): string {
    // One that has ended already has none.
    if (remoteAddress === undefined || this.isProxy(remoteAddress)) return '';
    return senderOf(remoteAddress);
  }
}

function kindOf(url: string): Kind {
  if (CALLBACK_PATH.test(url)) return 'pushes';
  if (CALL_PATH.test(url)) return 'calls';
  return HEALTH_PATH.test(url) ? 'health' : 'requests';
}

/** Ends a request whose body does not come in time, as Node ends one whose head does not. */
function endLateBody(server: Server, request: IncomingMessage, limitMs: number): void {
  if (request.headers['content-length'] === undefined && !request.headers['transfer-encoding']) {
    return;
  }
  // Most bodies have come together with the head and are read within this turn: they need no timer.
  setImmediate(() => {
    if (request.complete || request.destroyed) return;
    const timer = setTimeout(() => {
      if (request.complete) return;
      const late = Object.assign(new Error('The body did not come in time'), {
        code: 'ERR_HTTP_REQUEST_TIMEOUT',
      });
      server.emit('clientError', late, request.socket);
    }, limitMs);
    request.once('close', () => clearTimeout(timer));
  });
}

/**
 * Node makes an error with a stack for each request of a connection that ends: for the 1 600 that one
 * packet may hold, that takes 50 ms, and nobody reads them.
 */
function abortCheaply(socket: Socket): void {
  const { stackTraceLimit } = Error;
  socket.prependOnceListener('close', () => (Error.stackTraceLimit = 0));
  socket.once('close', () => (Error.stackTraceLimit = stackTraceLimit));
}

function refuse(response: ServerResponse): void {
  const error = new HubError('too_busy', 'The hub has too much to do; ask again', { status: 503 });
  const { headers, body } = closingAnswer(error, uuidv4());
  response
    .writeHead(error.status, STATUS_CODES[error.status], { ...headers, 'retry-after': '1' })
    .end(body);
}
