import createClient from 'openapi-fetch';
import { ref } from 'vue';
import type { paths } from './api-types';

/** What the hub answered instead of what was asked for. */
export class ApiError extends Error {
  /** Stable; `errors.<code>` in the catalogues says it to people. `unreachable`: no answer came. */
  readonly code: string;
  /** Finds the request in the hub's log; empty where no answer came. */
  readonly id: string;
  /** What else the hub said: `errcode`, `rid`, `retryAfterSeconds`, … */
  readonly details: Record<string, unknown>;

  constructor(
    readonly status: number,
    { code, message, id, ...details }: { code: string; message: string; id: string },
  ) {
    super(message);
    this.code = code;
    this.id = id;
    this.details = details;
  }

  /** Seconds after which it makes sense to ask again, where the hub says so. */
  get retryAfter(): number | undefined {
    const seconds = this.details.retryAfterSeconds;
    return typeof seconds === 'number' ? seconds : undefined;
  }
}

/** Whether the hub could not be asked the last time: the frame shows a banner. */
export const unavailable = ref(false);

/** What the frame does when the hub wants more than it got; set by {@link onRefusal}. */
interface Refusals {
  /** There is no session, or no longer. */
  signedOut(): void;
  /** The hub wants the token or password again; resolves to whether it got it. */
  confirm(): Promise<boolean>;
}
let refusals: Refusals = { signedOut: () => undefined, confirm: async () => false };

export function onRefusal(handlers: Refusals): void {
  refusals = handlers;
}

async function errorOf(response: Response): Promise<ApiError> {
  const body = await response
    .clone()
    .json()
    .catch(() => undefined);
  const id = response.headers.get('x-request-id') ?? '';
  const unknown = { code: `http_${response.status}`, message: response.statusText, id };
  return new ApiError(response.status, body?.error ?? unknown);
}

async function attempt(asked: Request): Promise<Response> {
  try {
    const response = await fetch(asked);
    unavailable.value = [502, 503].includes(response.status) && !isOfOneThing(asked);
    return response;
  } catch (error) {
    if (asked.signal.aborted) throw error;
    unavailable.value = true;
    throw new ApiError(0, { code: 'unreachable', message: String(error), id: '' });
  }
}

/** An act may fail at WeChat with the same status; the hub itself is then well. */
function isOfOneThing(asked: Request): boolean {
  return asked.method !== 'GET';
}

/** Where a 401 means that somebody is not signed in, or gave a wrong secret. */
const SESSION = /^\/admin\/session(?:\/|$)/;

async function send(asked: Request): Promise<Response> {
  const again = asked.clone();
  let response = await attempt(asked);
  if (response.ok) return response;
  let error = await errorOf(response);
  if (error.code === 'confirmation_required' && (await refusals.confirm())) {
    response = await attempt(again);
    if (response.ok) return response;
    error = await errorOf(response);
  }
  if (error.status === 401 && !SESSION.test(new URL(asked.url).pathname)) refusals.signedOut();
  throw error;
}

const origin = window.location.origin;

/** The hub's routes, by the types of its API document. A refusal is thrown as {@link ApiError}. */
export const api = createClient<paths>({ baseUrl: origin, fetch: send });
/** The same for polls: they do not count as use of the session. */
const pollingApi = createClient<paths>({
  baseUrl: origin,
  fetch: send,
  headers: { 'x-hub-background': '1' },
});
export type Api = typeof api;

export function apiFor(background: boolean): Api {
  return background ? pollingApi : api;
}

/** The body of an answer; a refusal was thrown before. */
export async function answerOf<T>(call: Promise<{ data?: T }>): Promise<NonNullable<T>> {
  const { data } = await call;
  return data as NonNullable<T>;
}

/** A route that the API document does not have, or has without types. */
export async function request<T>(
  method: string,
  path: string,
  body?: unknown,
  { background = false } = {},
): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (background) headers['x-hub-background'] = '1';
  const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
  const response = await send(new Request(origin + path, init));
  const text = await response.text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}
