import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SimulatorContext } from './api-route.js';
import type { CallLog } from './call-log.js';
import { readBody, sendBody } from './http-body.js';

/** A browser's request for a page. */
export interface PageRequest {
  query: URLSearchParams;
  /** The fields of a form. */
  form: URLSearchParams;
  /** The Referer header. */
  referer: string | undefined;
}

/** A page, or the way to another one. */
export interface PageAnswer {
  html?: string;
  /** Where a 302 leads to. */
  redirect?: string;
  /** Done once the answer was sent. */
  afterwards?: () => void;
}

/** One page for a browser. */
export interface PageRoute {
  method: 'GET' | 'POST';
  path: string;
  handle(request: PageRequest, context: SimulatorContext): PageAnswer | Promise<PageAnswer>;
}

/**
 * Serves the pages of mp.weixin.qq.com and open.weixin.qq.com. They are counted like API calls, but
 * faults and outages leave them alone: they are other hosts.
 */
export class PageServer {
  private readonly routes: ReadonlyMap<string, PageRoute>;

  constructor(
    routes: PageRoute[],
    private readonly context: SimulatorContext,
    private readonly calls: CallLog,
  ) {
    this.routes = new Map(routes.map((route) => [`${route.method} ${route.path}`, route]));
  }

  /** Takes the request if it is for a page; answers whether it was. */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    search: string,
  ): boolean {
    const route = this.routes.get(`${request.method} ${path}`);
    if (!route) return false;
    readBody(request, (body) => {
      const { referer } = request.headers;
      const form = new URLSearchParams(body);
      void this.serve(route, { query: new URLSearchParams(search), form, referer }, response);
    });
    return true;
  }

  private async serve(route: PageRoute, request: PageRequest, response: ServerResponse) {
    const entry = this.calls.arrive(route.path, this.context.now());
    try {
      const answer = await route.handle(request, this.context);
      this.calls.settle(entry, answer.redirect === undefined ? 200 : 302, null, 'page');
      send(response, answer);
    } catch (error) {
      this.calls.settle(entry, 500, null, 'error');
      sendBody(response, 500, 'text/plain; charset=utf-8', String(error));
    }
  }
}

function send(response: ServerResponse, { html, redirect, afterwards }: PageAnswer): void {
  if (afterwards) response.once('close', afterwards);
  if (redirect === undefined) {
    return sendBody(response, 200, 'text/html; charset=utf-8', html ?? '');
  }
  if (response.destroyed) return;
  response.writeHead(302, { Location: redirect, 'Content-Length': 0 });
  response.end();
}
