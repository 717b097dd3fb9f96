import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AdminTokenGuard } from './admin-token.guard.js';

/** The parts of a request that a read from memory looks at. */
export interface ReadRequest {
  params: Record<string, string>;
  query: Record<string, unknown>;
}

/** The answer, if memory alone gives it; undefined for whatever is not plainly so. */
export type MemoryRead = (request: ReadRequest) => object | undefined;

/**
 * Reads that services make before each of their own calls, answered before the framework's
 * pipeline begins: it costs several times what the answer does. Whatever needs the database,
 * WeChat, an error or a log line goes the usual way, to the controller of the same route.
 */
@Injectable()
export class MemoryReads {
  private readonly reads = new Map<string, MemoryRead>();

  constructor(private readonly guard: AdminTokenGuard) {}

  /** @param route the controller's pattern, with a slash in front. */
  add(route: string, read: MemoryRead): void {
    this.reads.set(route, read);
  }

  get routes(): string[] {
    return [...this.reads.keys()];
  }

  /** The answer to a request whose bearer token is right; undefined leaves it to the controller. */
  answer({ method, routeOptions, headers, params, query }: FastifyRequest): object | undefined {
    const read = method === 'GET' ? this.reads.get(routeOptions.url ?? '') : undefined;
    if (!read || !this.guard.accepts(headers.authorization)) return undefined;
    return read({ params, query } as ReadRequest);
  }
}
