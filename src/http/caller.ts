import type { FastifyRequest } from 'fastify';

/** What lets a caller in: the admin token, an operator's password, an API key; or the hub itself acts. */
export const CALLER_KINDS = ['token', 'operator', 'key', 'system'] as const;
export type CallerKind = (typeof CALLER_KINDS)[number];

/** Who asks. */
export interface Caller {
  /**
   * `admin`: by the admin token. `operator:…`, `key:…`: by its id. `metrics`: by METRICS_TOKEN.
   * `system`: the hub. `unknown`: somebody who tried.
   */
  actor: string;
  kind: CallerKind;
  /** An operator's or a key's name, or what a person with the admin token calls themselves. */
  name: string | null;
  /** The session of the console, where the request came by one. */
  sessionId?: string;
}

/** A request, and who asks, once that is known: lines about it are not held back. */
export type KnownRequest = FastifyRequest & { caller?: Caller };
