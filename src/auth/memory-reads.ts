import type { IncomingMessage } from 'node:http';
import { Injectable } from '@nestjs/common';
import { AdminTokenGuard } from './admin-token.guard.js';

/** The answer for what a URL names, if memory alone gives it; undefined for whatever is not plainly so. */
export type MemoryRead = (id: string) => object | undefined;

/** A read that memory has answered. */
export interface AnsweredRead {
  /** The controller's pattern. */
  route: string;
  body: object;
}

interface KnownRead {
  route: string;
  url: RegExp;
  read: MemoryRead;
}

/**
 * Reads that services make before each of their own calls, answered before the framework sees the
 * request: its pipeline costs several times what the answer does. Whatever has a query, or needs
 * the database, WeChat, an error or a log line goes the usual way, to the controller of the route.
 */
@Injectable()
export class MemoryReads {
  private readonly reads: KnownRead[] = [];

  constructor(private readonly guard: AdminTokenGuard) {}

  /** @param route the controller's pattern, with a slash in front and one parameter. */
  add(route: string, read: MemoryRead): void {
    const url = new RegExp(`^${route.replace(/:\w+/, '([\\w-]{1,64})')}$`);
    this.reads.push({ route, url, read });
  }

  get routes(): string[] {
    return this.reads.map(({ route }) => route);
  }

  /** The answer to a request whose bearer token is right; undefined leaves it to the controller. */
  answer({ method, url = '', headers }: IncomingMessage): AnsweredRead | undefined {
    if (method !== 'GET' || 'content-length' in headers || 'transfer-encoding' in headers) {
      return undefined;
    }
    for (const known of this.reads) {
      const id = known.url.exec(url)?.[1];
      if (id === undefined) continue;
      const body = this.guard.accepts(headers.authorization) ? known.read(id) : undefined;
      return body && { route: known.route, body };
    }
    return undefined;
  }
}
