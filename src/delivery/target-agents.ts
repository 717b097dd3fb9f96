import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';

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
  readonly http: HttpAgent;
  readonly https: HttpsAgent;

  constructor(private readonly limits: KeptConnections) {
    // An agent's time-out closes only what is not in use.
    const options = { ...AGENT_OPTIONS, timeout: limits.idleMs };
    this.http = this.limited(new HttpAgent(options));
    this.https = this.limited(new HttpsAgent(options));
  }

  destroy(): void {
    this.http.destroy();
    this.https.destroy();
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
