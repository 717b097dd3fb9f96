import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { CONTROL_ROUTES } from './control.js';
import {
  DEFAULT_PORT,
  DEFAULT_PUSH_INTERVAL_SECONDS,
  SIMULATOR_ACCOUNTS,
  SIMULATOR_COMPONENT,
} from './defaults.js';
import type { ComponentOptions } from './fake-component.js';
import { WechatSimulator, type SimulatorOptions } from './wechat-simulator.js';

/**
 * Standalone simulator. Each setting is an environment variable or a flag, the flag wins:
 *
 * | Variable                     | Flag                      | Default                       |
 * | ---------------------------- | ------------------------- | ----------------------------- |
 * | SIM_HOST                     | --host                    | 127.0.0.1                     |
 * | SIM_PORT                     | --port                    | 3100                          |
 * | SIM_PUSH_URL                 | --push-url                | none: no pushing              |
 * | SIM_PUSH_INTERVAL_SECONDS    | --push-interval-seconds   | 600, if there is a push URL   |
 * | SIM_TOKEN_LIFE_SECONDS       | --token-life-seconds      | 7200                          |
 * | WECHAT_COMPONENT_*           |                           | `SIMULATOR_COMPONENT`         |
 *
 * SIM_PUSH_URL is the hub's base URL: tickets go to `<base>/callback/<appid>/events`.
 */
const { values: flags } = parseArgs({
  options: {
    host: { type: 'string' },
    port: { type: 'string' },
    'push-url': { type: 'string' },
    'push-interval-seconds': { type: 'string' },
    'token-life-seconds': { type: 'string' },
  },
});

/** A flag, else a variable; an empty one counts as not set. */
function setting(flag: keyof typeof flags, variable: string): string | undefined {
  return flags[flag] || process.env[variable] || undefined;
}

function numberSetting(flag: keyof typeof flags, variable: string): number | undefined {
  const text = setting(flag, variable);
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isFinite(number) && number >= 0) return number;
  throw new Error(`${variable} must be a number, not '${text}'`);
}

/** The platform of `.env`, so that it fits the hub beside it; the environment wins. */
if (existsSync('.env')) process.loadEnvFile('.env');

function componentFromEnvironment(): ComponentOptions {
  const { env } = process;
  return {
    appid: env['WECHAT_COMPONENT_APPID'] || SIMULATOR_COMPONENT.appid,
    appsecret: env['WECHAT_COMPONENT_APPSECRET'] || SIMULATOR_COMPONENT.appsecret,
    token: env['WECHAT_COMPONENT_TOKEN'] || SIMULATOR_COMPONENT.token,
    encodingAesKey: env['WECHAT_COMPONENT_ENCODING_AES_KEY'] || SIMULATOR_COMPONENT.encodingAesKey,
  };
}

/** Starts it, or says in one line that its port is taken. */
async function started(options: SimulatorOptions): Promise<WechatSimulator> {
  try {
    return await WechatSimulator.start(options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    console.error(`SIM_PORT: another program listens on ${options.port} (example: SIM_PORT=3101)`);
    process.exit(1);
  }
}

const component = componentFromEnvironment();
const pushBaseUrl = setting('push-url', 'SIM_PUSH_URL');
const interval = numberSetting('push-interval-seconds', 'SIM_PUSH_INTERVAL_SECONDS');
if (pushBaseUrl) component.pushIntervalSeconds = interval ?? DEFAULT_PUSH_INTERVAL_SECONDS;

const simulator = await started({
  host: setting('host', 'SIM_HOST'),
  port: numberSetting('port', 'SIM_PORT') ?? DEFAULT_PORT,
  tokenLifeSeconds: numberSetting('token-life-seconds', 'SIM_TOKEN_LIFE_SECONDS'),
  pushBaseUrl,
  components: [component],
});

for (const account of SIMULATOR_ACCOUNTS) simulator.accounts.add(account);

console.log(
  [
    `WeChat simulator on ${simulator.url}`,
    `  platform ${component.appid}${pushBaseUrl ? `, pushes to ${pushBaseUrl}` : ''}`,
    ...SIMULATOR_ACCOUNTS.map(({ appid, kind, nickName }) => `  ${kind} ${appid} ${nickName}`),
    `  control API:`,
    ...CONTROL_ROUTES.map((route) => `    ${route}`),
  ].join('\n'),
);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void simulator.stop());
}

// The first push at once: a developer should not wait ten minutes for a ticket.
if (pushBaseUrl) {
  const { status, body, error } = await simulator.pushTicket(component.appid);
  console.log(`first ticket push: ${error ?? `${status} ${body}`}`);
}
