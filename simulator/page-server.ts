import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SimulatorContext } from './api-route.js';
import type { CallLog } from './call-log.js';
import { readBody, sendBody } from './http-body.js';
import type { PageAnswer, PageRequest, PageRoute } from './page-route.js';

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
