import type { AccountOptions } from './fake-account.js';
import type { ComponentSettings } from './fake-component.js';

/**
 * The component that the simulator plays when nothing else is configured. Every value is a
 * well-formed but obviously fake one, so that a leak of it means nothing.
 */
export const SIMULATOR_COMPONENT: ComponentSettings = {
  appid: 'wx0123456789abcdef',
  appsecret: 'fake-secret-for-simulator-only-0',
  token: 'hub_cb_Token2025',
  encodingAesKey: 'Zk7Qm2XvT9bR4nLcW1yHs8PdJ6uGfA3eKxViNtO5aBg',
};

/** Accounts that can authorize the standalone simulator's platform. */
export const SIMULATOR_ACCOUNTS: AccountOptions[] = [
  { appid: 'wxfedcba9876543210', kind: 'official_account', nickName: '示例公众号 Example account' },
  { appid: 'wxfedcba9876543211', kind: 'mini_program', nickName: '示例小程序 Example program' },
];

/** Port of the standalone simulator. */
export const DEFAULT_PORT = 3100;

/** WeChat pushes a ticket every 10 minutes (component_verify_ticket page). Seconds. */
export const DEFAULT_PUSH_INTERVAL_SECONDS = 600;

/** WeChat gives a callback server 5 seconds for the whole answer. Milliseconds. */
export const DEFAULT_PUSH_TIMEOUT_MS = 5000;
