import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ControlRequest, ControlRoute } from './control-route.js';
import { readBody, sendBody } from './http-body.js';
import { SimulatorError } from './wechat-error.js';
import type { WechatSimulator } from './wechat-simulator.js';

/** Where the control API begins. */
export const CONTROL_PREFIX = '/__sim';

interface Match {
  route: ControlRoute;
  params: Record<string, string>;
}

/** Serves the control API: JSON in, JSON out, `{"error":"…"}` with a 4xx for a mistake. */
export class ControlServer {
  constructor(
    private readonly routes: ControlRoute[],
    private readonly simulator: WechatSimulator,
  ) {}

  /** Takes a request whose path begins with the prefix. */
  handle(request: IncomingMessage, response: ServerResponse, path: string, search: string): void {
    readBody(request, (body) => {
      this.run(request.method ?? 'GET', path.slice(CONTROL_PREFIX.length), search, body).then(
        (answer) => sendJson(response, 200, answer),
        (error: Error) => sendJson(response, statusOf(error), { error: error.message }),
      );
    });
  }

  private async run(method: string, path: string, search: string, body: string): Promise<unknown> {
    const match = this.match(method, path);
    if (!match) throw new SimulatorError(`no route ${method} ${CONTROL_PREFIX}${path}`, 404);
    const request: ControlRequest = {
      params: match.params,
      query: new URLSearchParams(search),
      body: parseBody(body),
    };
    return match.route.handle(request, this.simulator);
  }

  private match(method: string, path: string): Match | null {
    for (const route of this.routes) {
      const params = route.method === method ? matchPath(route.path, path) : null;
      if (params) return { route, params };
    }
    return null;
  }
}

/** The values of the `:name` parts, or `null` when the path is another one. */
function matchPath(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith(':')) params[part.slice(1)] = decodeURIComponent(value);
    else if (part !== value) return null;
  }
  return params;
}

function parseBody(body: string): Record<string, unknown> {
  if (body === '') return {};
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Falls through: unreadable and not-an-object are the same mistake to the caller.
  }
  throw new SimulatorError('the body must be a JSON object');
}

function statusOf(error: Error): number {
  return error instanceof SimulatorError ? error.status : 500;
}

function sendJson(response: ServerResponse, status: number, answer: unknown): void {
  sendBody(response, status, 'application/json; charset=utf-8', JSON.stringify(answer));
}
