import { ADMIN_TOKEN, COMPONENT } from './fake-settings.js';
import type { BuiltPush } from '../../simulator/push-builder.js';

/** An answer of the hub, read. */
export interface Answer {
  status: number;
  text: string;
  headers: Headers;
  /** The parsed body; undefined where it is not JSON. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  json: any;
}

/** Speaks HTTP to a hub, as its users do. */
export class HubClient {
  constructor(readonly url: string) {}

  /** With the admin token unless `headers` has another `authorization`. */
  async request(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      ...init,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...init.headers },
    });
    const text = await response.text();
    return { status: response.status, text, headers: response.headers, json: parse(text) };
  }

  get(path: string): Promise<Answer> {
    return this.request('GET', path);
  }

  post(path: string, body?: unknown): Promise<Answer> {
    return this.request('POST', path, jsonInit(body));
  }

  patch(path: string, body: unknown): Promise<Answer> {
    return this.request('PATCH', path, jsonInit(body));
  }

  /** Sends a push as the simulator built it, or changed by the test. */
  push(
    built: BuiltPush,
    changes: {
      query?: string;
      body?: NonNullable<RequestInit['body']>;
      headers?: Record<string, string>;
    } = {},
  ): Promise<Answer> {
    const path = `/callback/${built.appid}/events?${changes.query ?? built.query}`;
    return this.request('POST', path, {
      body: changes.body ?? built.body,
      headers: { ...built.headers, ...changes.headers },
    });
  }

  /** The token that services get. */
  accessToken(appid: string = COMPONENT.appid): Promise<Answer> {
    return this.get(`/api/components/${appid}/access-token`);
  }

  /** How many requests of a route, by its pattern, were answered with a status; of all so far. */
  async answered(method: string, route: string, status: number): Promise<number> {
    const { text } = await this.get('/metrics');
    const labels = `method="${method}",route="${route}",status="${status}"`;
    const line = text
      .split('\n')
      .find((one) => one.startsWith(`hub_http_request_duration_seconds_count{${labels}}`));
    return Number(line?.split(' ')[1] ?? 0);
  }

  ticket(appid: string = COMPONENT.appid, reveal = true): Promise<Answer> {
    return this.get(`/admin/tickets/${appid}${reveal ? '?reveal=true' : ''}`);
  }

  token(appid: string = COMPONENT.appid): Promise<Answer> {
    return this.get(`/admin/tokens/${appid}`);
  }
}

function jsonInit(body: unknown): RequestInit {
  return body === undefined
    ? {}
    : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
