import { eventually } from './eventually.js';
import type { FaultSpec } from '../../simulator/fault-plan.js';
import { AuthorizationCodeService } from '../../src/authorization/authorization-code.service.js';
import { AuthorizerRefresher } from '../../src/authorizer/authorizer.refresher.js';
import { AuthorizerResyncService } from '../../src/authorizer/authorizer-resync.service.js';
import { COMPONENT } from './fake-settings.js';
import type { Answer } from './hub-client.js';
import { createTestApp, type TestApp, type TestAppOptions } from './test-app.js';
import { calls, prime } from './token-world.js';

const API = '/cgi-bin/component';
/** The calls that authorizations are about. */
export const QUERY_AUTH = `${API}/api_query_auth`;
export const AUTHORIZER_TOKEN = `${API}/api_authorizer_token`;
export const AUTHORIZER_INFO = `${API}/api_get_authorizer_info`;
export const AUTHORIZER_LIST = `${API}/api_get_authorizer_list`;

/** The platform that accounts authorize unless a test says otherwise. */
export const PLATFORM = COMPONENT.appid;

/** Thousands of accounts on a busy machine take their time. */
export const RESYNC_LIMIT_MS = 25_000;

let prefixes = 0;

/** A hub with its platform's token at hand, and accounts that may authorize it. */
export async function authorizerHub(options: TestAppOptions): Promise<TestApp> {
  const test = await createTestApp(options);
  await prime(test);
  test.simulator.clearCalls();
  return test;
}

/** Appids of new accounts that nobody else has; each with the same settings. */
export function newAccounts(
  { simulator }: Pick<TestApp, 'simulator'>,
  count: number,
  settings: Omit<Parameters<TestApp['simulator']['accounts']['add']>[0], 'appid'> = {},
): string[] {
  const prefix = `wx${(prefixes += 1).toString(16).padStart(6, '0')}`;
  return simulator.accounts.add({ ...settings, count, prefix });
}

export function newAccount(
  test: Pick<TestApp, 'simulator'>,
  settings: Parameters<typeof newAccounts>[2] = {},
): string {
  return newAccounts(test, 1, settings)[0] as string;
}

/** The token that services get for an account. */
export function tokenOf(
  { hub }: Pick<TestApp, 'hub'>,
  account: string,
  component?: string,
): Promise<Answer> {
  const query = component === undefined ? '' : `?component=${component}`;
  return hub.get(`/api/authorizers/${account}/access-token${query}`);
}

/** The token itself; fails where there is none. */
export async function tokenText(test: TestApp, account: string): Promise<string> {
  const { status, json, text } = await tokenOf(test, account);
  if (status !== 200) throw new Error(`No token of ${account}: ${text}`);
  return json.authorizer_access_token as string;
}

/** The account as administrators see it. */
export async function detailOf(
  { hub }: Pick<TestApp, 'hub'>,
  account: string,
  component = PLATFORM,
): Promise<any> {
  return (await hub.get(`/admin/authorizers/${component}/${account}`)).json;
}

/** What happened to an account, oldest first. */
export async function historyOf(test: TestApp, account: string): Promise<string[]> {
  const { history } = await detailOf(test, account);
  return history.map(({ what }: { what: string }) => what).toReversed();
}

/** The account consents and its event is pushed; resolves when its code is exchanged. */
export async function authorizeByEvent(
  test: TestApp,
  account: string,
  component = PLATFORM,
): Promise<void> {
  const { push } = await test.simulator.accounts.authorize(component, account, { push: true });
  if (push?.body !== 'success') throw new Error(`The event was answered ${push?.body}`);
  await eventually('the authorization', async () => {
    const { status } = (await detailOf(test, account, component)) as { status?: string };
    return status === 'active' ? true : undefined;
  });
}

/** WeChat sends the browser back with a code. */
export function comeBack(
  { hub }: Pick<TestApp, 'hub'>,
  code: string,
  component = PLATFORM,
): Promise<Answer> {
  return hub.get(`/authorize/${component}/callback?auth_code=${encodeURIComponent(code)}`);
}

/** The word for the outcome on the page that a browser comes back to. */
export function resultOf({ text }: Answer): string | undefined {
  return /data-result="(\w+)"/.exec(text)?.[1];
}

/** What the timers of the accounts do every 5 seconds. */
export async function authorizerTick({ app }: Pick<TestApp, 'app'>): Promise<void> {
  const timers = app.get(AuthorizerRefresher);
  await app.get(AuthorizationCodeService).exchangeDue();
  await timers.fetchInfos();
  await timers.refreshTokens();
}

/** What the timer of the information alone does. */
export function infoTick({ app }: Pick<TestApp, 'app'>): Promise<void> {
  return app.get(AuthorizerRefresher).fetchInfos();
}

/** What the timer of the resyncs does every half minute. */
export function resyncTick({ app }: Pick<TestApp, 'app'>): Promise<void> {
  return app.get(AuthorizerResyncService).tick();
}

/** Runs a resync to its end. */
export async function resync(test: TestApp): Promise<void> {
  await test.hub.post(`/admin/components/${PLATFORM}/authorizers/resync`);
  await resyncEnded(test);
}

/** Lets the timer of the resyncs work until the platform's has finished, at whichever host. */
export async function resyncEnded(test: TestApp): Promise<void> {
  const finishedAt = async (): Promise<string | undefined> => {
    await resyncTick(test);
    const { json } = await test.hub.get(`/admin/components/${PLATFORM}/authorizers/resync`);
    return json.finishedAt ?? undefined;
  };
  await eventually('the resync', finishedAt, RESYNC_LIMIT_MS);
}

/** Has every account of the simulator that is listed recorded in the hub, with a token. */
export async function importAll(test: TestApp): Promise<void> {
  await resync(test);
  await authorizerTick(test);
}

/** Time passes and the platform's own token is kept alive, as WeChat's pushes would. */
export async function pass(test: TestApp, milliseconds: number): Promise<void> {
  test.clock.advance(milliseconds);
  await prime(test);
}

/** Lets calls of one path fail. */
export function breakPath({ simulator }: TestApp, path: string, fault: FaultSpec): void {
  simulator.addFault({ path, ...fault });
}

export { calls };
