import { SIMULATOR_COMPONENT } from '../../simulator/defaults.js';

export const ADMIN_TOKEN = 'fake-admin-token-of-the-tests';
export const MASTER_KEY = `t1:${Buffer.from('fake-master-key-of-the-tests-32b').toString('base64')}`;
export const COMPONENT = SIMULATOR_COMPONENT;

let platforms = 0;

/**
 * An AppID that no platform of this test has. It sorts behind {@link COMPONENT}'s and all that were
 * given before: platforms that a clock which stands still adds at one instant are listed by AppID.
 */
export function nextPlatformAppid(): string {
  return `wxf${(platforms += 1).toString(16).padStart(15, '0')}`;
}

/** Environment of a hub under test. */
export function hubEnvironment(overrides: Record<string, string> = {}): Record<string, string> {
  return {
    HOST: '127.0.0.1',
    PORT: '0',
    ADMIN_TOKEN,
    MASTER_KEYS: MASTER_KEY,
    WECHAT_COMPONENT_APPID: COMPONENT.appid,
    WECHAT_COMPONENT_APPSECRET: COMPONENT.appsecret,
    WECHAT_COMPONENT_TOKEN: COMPONENT.token,
    WECHAT_COMPONENT_ENCODING_AES_KEY: COMPONENT.encodingAesKey,
    LOG_LEVEL: 'debug',
    ...overrides,
  };
}
