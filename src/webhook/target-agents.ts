import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { ProxyAgent, proxyFor, type ProxySettings } from '../common/proxy-agent.js';
import type { Secret } from '../common/secret.js';

/** Which connections are kept for the next call. */
export interface KeptConnections {
  /** How long one is kept that is not used, in milliseconds. */
  idleMs: number;
  /** How many, of all targets together. */
  max: number;
}

/** Another {@link KeptConnections} in the place of {@link KEPT_CONNECTIONS}. */
export const KEPT_LIMITS = Symbol('KEPT_LIMITS');
export const KEPT_CONNECTIONS: KeptConnections = { idleMs: 10_000, max: 512 };

/** How long a proxy may take until it is connected with a target: within every attempt's time. */
const PROXY_CONNECT_MS = 4000;

/** Connections to one host, and to all: far more than are kept, so that those leave room. */
const AGENT_OPTIONS = {
  keepAlive: true,
  maxSockets: 512,
  maxTotalSockets: 4096,
  maxFreeSockets: 128,
  scheduling: 'lifo',
} as const;

/** The connections to targets. Those that wait for the next call are few, silent, and soon closed. */
export class TargetAgents {
  private readonly kept = new Map<Duplex, () => void>();
  private readonly http: HttpAgent;
  private readonly https: HttpsAgent;
  /** By the URL of the proxy. */
  private readonly proxies = new Map<string, ProxyAgent>();

  /** @param settings the proxies of deliveries; undefined where all are made directly. */
  constructor(
    private readonly limits: KeptConnections,
    private readonly settings?: ProxySettings,
  ) {
    // An agent's time-out closes only what is not in use.
    const options = { ...AGENT_OPTIONS, timeout: limits.idleMs };
    this.http = this.limited(new HttpAgent(options));
    this.https = this.limited(new HttpsAgent(options));
  }

  /** Connections for calls of the URL, which are kept. */
  for(url: URL): HttpAgent {
    const proxy = this.proxyFor(url);
    if (!proxy) return url.protocol === 'https:' ? this.https : this.http;
    const known = this.proxies.get(proxy.reveal());
    if (known) return known;
    // The library's agent forgets who waits for a connection when one fails: nobody is to wait.
    const { scheduling, maxFreeSockets } = AGENT_OPTIONS;
    const options = { keepAlive: true, scheduling, maxFreeSockets, timeout: this.limits.idleMs };
    const made = this.limited(new ProxyAgent(proxy, PROXY_CONNECT_MS, options));
    this.proxies.set(proxy.reveal(), made);
    return made;
  }

  /** A connection for one call of the URL; false is one of `node:http`'s own. */
  once(url: URL): HttpAgent | false {
    const proxy = this.proxyFor(url);
    return proxy ? new ProxyAgent(proxy, PROXY_CONNECT_MS, { keepAlive: false }) : false;
  }

  destroy(): void {
    for (const agent of [this.http, this.https, ...this.proxies.values()]) agent.destroy();
  }

  private proxyFor(url: URL): Secret | undefined {
    return this.settings?.forDeliveries ? proxyFor(url, this.settings) : undefined;
  }

  private limited<A extends HttpAgent>(agent: A): A {
    const keep = agent.keepSocketAlive.bind(agent) as (socket: Duplex) => unknown;
    const reuse = agent.reuseSocket.bind(agent);
    agent.keepSocketAlive = (socket: Duplex) => {
      if (this.kept.size >= this.limits.max || !keep(socket)) return false;
      this.watch(socket);
      return true;
    };
    agent.reuseSocket = (socket, request) => {
      this.kept.get(socket)?.();
      reuse(socket, request);
    };
    return agent;
  }

  /** What a target says unasked would be read as the next answer, and keep the connection open. */
  private watch(socket: Duplex): void {
    const close = (): void => void socket.destroy();
    const forget = (): void => {
      this.kept.delete(socket);
      socket.off('data', close).off('close', forget);
    };
    this.kept.set(socket, forget);
    socket.on('data', close).on('close', forget);
  }
}
