import type { Answer } from './hub-client.js';
import type { TestApp } from './test-app.js';

/** An API key, as administrators make it. */
export async function apiKey(
  { hub }: Pick<TestApp, 'hub'>,
  values: object = {},
): Promise<{ id: string; key: string }> {
  const named = { name: 'An SDK', scopes: ['proxy'], ...values };
  const { status, json, text } = await hub.post('/admin/api-keys', named);
  if (status !== 201) throw new Error(`No key: ${text}`);
  return json as { id: string; key: string };
}

/** A request of an SDK: without a header of the hub's; a body is JSON, of no type unless one is named. */
export function sdkCall(
  { hub }: Pick<TestApp, 'hub'>,
  path: string,
  body?: unknown,
  init: RequestInit = {},
): Promise<Answer> {
  // Of bytes `fetch` names no type.
  const sent =
    body === undefined ? {} : { method: 'POST', body: Buffer.from(JSON.stringify(body)) };
  return hub.request('GET', `/wx/${path}`, {
    ...sent,
    ...init,
    headers: { authorization: '', ...init.headers },
  });
}

/** What an account's SDK holds: its token from `cgi-bin/token`. */
export async function accountToken(
  test: Pick<TestApp, 'hub'>,
  appid: string,
  secret: string,
): Promise<string> {
  const path = `cgi-bin/token?grant_type=client_credential&appid=${appid}&secret=${secret}`;
  const { json, text } = await sdkCall(test, path);
  if (typeof json?.access_token !== 'string') throw new Error(`No token: ${text}`);
  return json.access_token as string;
}
