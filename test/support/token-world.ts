import { DataSource } from 'typeorm';
import type { ComponentSettings } from '../../simulator/fake-component.js';
import type { FaultSpec } from '../../simulator/fault-plan.js';
import type { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { CredentialUses } from '../../src/component/credential-uses.js';
import { TrustedTime } from '../../src/common/trusted-time.js';
import { TokenRefresher } from '../../src/token/token.refresher.js';
import { COMPONENT, nextPlatformAppid } from './fake-settings.js';
import { createTestApp, type TestApp } from './test-app.js';

/** The call that turns a ticket into a token. */
export const EXCHANGE = '/cgi-bin/component/api_component_token';
/** The call that asks WeChat to push tickets. */
export const START_PUSH = '/cgi-bin/component/api_start_push_ticket';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

/** How often WeChat was asked, since the last `clearCalls()`. */
export function calls({ simulator }: Pick<TestApp, 'simulator'>, path = EXCHANGE): number {
  return simulator.callSummary().paths[path]?.arrived ?? 0;
}

/** The token that WeChat has issued last and takes; undefined where none works. */
export function issued({ simulator }: Pick<TestApp, 'simulator'>, appid = COMPONENT.appid) {
  return simulator.currentToken(appid)?.value;
}

/**
 * Pushes a ticket and resolves when the token that it leads to is handed out, and the uses of the
 * platform's credentials are written.
 */
export async function prime(test: TestApp, appid = COMPONENT.appid): Promise<string> {
  await test.simulator.pushTicket(appid);
  const { status, json, text } = await test.hub.accessToken(appid);
  if (status !== 200) throw new Error(`No token after a ticket: ${text}`);
  await test.app.get(CredentialUses).idle();
  return json.component_access_token as string;
}

/** Lets the next exchanges fail; until `repair` where `times` is not given. */
export function breakExchange(test: TestApp, fault: FaultSpec): void {
  test.simulator.addFault({ path: EXCHANGE, ...fault });
}

/** WeChat is well again. */
export function repair({ simulator }: Pick<TestApp, 'simulator'>): void {
  simulator.removeFaults();
}

/** WeChat answers a call, and so shows the time to the hub, where it has not yet; nothing is pushed. */
export async function showTime(test: TestApp, appid = COMPONENT.appid): Promise<void> {
  const { app, clock, hub, simulator } = test;
  if (app.get(TrustedTime).now() === clock.now()) return;
  simulator.updateComponent(appid, { pushUrl: null });
  const { status, text } = await hub.post(`/admin/tickets/${appid}/start-push`);
  simulator.updateComponent(appid, { pushUrl: `${hub.url}/callback/${appid}/events` });
  if (status !== 200) throw new Error(`WeChat was not asked: ${text}`);
}

/** What the timer does every 5 seconds, refreshes included. */
export function tick({ app }: Pick<TestApp, 'app'>): Promise<void> {
  return app.get(TokenRefresher).tick();
}

/** Whether WeChat takes the token for a call. */
export async function accepts(simulator: WechatSimulator, token: string): Promise<boolean> {
  const query = new URLSearchParams({ component_access_token: token });
  const answer = await fetch(`${simulator.url}/cgi-bin/get_api_domain_ip?${query}`);
  return 'ip_list' in ((await answer.json()) as object);
}

/** Another hub on the same database and WeChat, with the same clock. Close it before the first. */
export function secondHub(first: TestApp, env: Record<string, string> = {}): Promise<TestApp> {
  return createTestApp({
    database: first.database,
    clock: first.clock,
    simulator: { components: [] },
    env: { WECHAT_API_BASE_URL: first.simulator.url, ...env },
  });
}

/** The database under a hub, for what a test must see or bring about beside it. */
export function sql({ app }: Pick<TestApp, 'app'>): DataSource {
  return app.get(DataSource);
}

/** Registers one more platform, at WeChat and in the hub, with secrets of its own. */
export async function addPlatform(
  test: TestApp,
  appid = nextPlatformAppid(),
): Promise<ComponentSettings> {
  const settings: ComponentSettings = {
    appid,
    appsecret: `fake-secret-of-${appid}`,
    token: `cbToken_${appid}`,
    encodingAesKey: `${appid}0123456789abcdefghijklmnopqrstuvwxyz`.slice(0, 43),
  };
  test.simulator.addComponent({
    ...settings,
    pushUrl: `${test.hub.url}/callback/${appid}/events`,
  });
  const { status, text } = await test.hub.post('/admin/components', {
    componentAppId: appid,
    appSecret: settings.appsecret,
    token: settings.token,
    encodingAesKey: settings.encodingAesKey,
  });
  if (status !== 201) throw new Error(`Adding a platform answered ${status} ${text}`);
  return settings;
}
