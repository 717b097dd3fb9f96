import { ADMIN_TOKEN } from './fake-settings.js';
import { rawRequest } from './http-exchange.js';
import type { Answer, HubClient } from './hub-client.js';

/** What a browser sends with what a page of the hub asks for. */
const OWN_PAGE = { 'sec-fetch-site': 'same-origin' };

/** The console's side of a session: sends its cookie, as a browser does from a page of the hub. */
export class ConsoleClient {
  constructor(
    readonly hub: HubClient,
    readonly cookie: string,
  ) {}

  request(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = OWN_PAGE,
    hub: HubClient = this.hub,
  ): Promise<Answer> {
    return send(hub, method, path, body, { cookie: this.cookie, ...headers });
  }

  get(path: string, headers: Record<string, string> = OWN_PAGE): Promise<Answer> {
    return this.request('GET', path, undefined, headers);
  }

  post(path: string, body?: unknown): Promise<Answer> {
    return this.request('POST', path, body);
  }

  /** The same session at another host. */
  at(hub: HubClient): ConsoleClient {
    return new ConsoleClient(hub, this.cookie);
  }
}

/** Sends a request without the admin token. */
export function send(
  { url }: HubClient,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const type: Record<string, string> =
    body === undefined ? {} : { 'content-type': 'application/json' };
  const text = body === undefined ? '' : JSON.stringify(body);
  return rawRequest(url, { method, path, body: text, headers: { ...type, ...headers } });
}

/** Signs in; the answer, and the client of the session where it was opened. */
export async function signIn(
  hub: HubClient,
  body: object = { token: ADMIN_TOKEN, name: 'Ada' },
  headers: Record<string, string> = OWN_PAGE,
): Promise<{ answer: Answer; console: ConsoleClient }> {
  const answer = await send(hub, 'POST', '/admin/session', body, headers);
  return { answer, console: new ConsoleClient(hub, cookieIn(answer)) };
}

/** `name=value` of the cookie that an answer sets; empty where it sets none. */
export function cookieIn({ headers }: Answer): string {
  return headers.get('set-cookie')?.split(';', 1)[0] ?? '';
}

/** Adds an operator, who accepts the invitation. */
export async function addOperator(
  hub: HubClient,
  values: { name: string; role: string; readsContent?: boolean },
  password = `password of ${values.name}`,
): Promise<{ id: string; password: string; console: ConsoleClient }> {
  const added = await hub.post('/admin/operators', values);
  if (added.status !== 201) throw new Error(`Adding an operator answered ${added.text}`);
  const invitation = valueIn(added.json.invitation);
  const body = { invitation, password };
  const answer = await send(hub, 'POST', '/admin/session/invitation', body);
  if (answer.status !== 201) throw new Error(`An invitation was not accepted: ${answer.text}`);
  return { id: added.json.id, password, console: new ConsoleClient(hub, cookieIn(answer)) };
}

/** The value in a link of the console's. */
export function valueIn(link: string): string {
  return link.split('=').at(-1) ?? '';
}
