import { oneAppid, optionalText, type ControlRoute } from './control-route.js';
import type { EventMessageOptions, MessageOptions } from './message-control.js';
import type { LoadOptions } from './message-load.plan.js';
import { SimulatorError } from './wechat-error.js';

/** Messages and events of accounts, one at a time. */
const sendRoutes: ControlRoute[] = [
  {
    method: 'POST',
    path: '/send-message',
    handle: ({ body }, simulator) => {
      const { component, account, ...options } = body;
      const appid = oneAppid(component, simulator);
      return simulator.sendMessage(appid, accountIn(account), sendOptions<MessageOptions>(options));
    },
  },
  {
    method: 'POST',
    path: '/send-event',
    handle: ({ body }, simulator) => {
      const { component, account, ...options } = body;
      const appid = oneAppid(component, simulator);
      const { event, ...rest } = sendOptions<EventMessageOptions>(options);
      return simulator.sendEvent(appid, accountIn(account), { ...rest, event: event ?? '' });
    },
  },
];

/** Many of them. `"wait":true` answers when all have ended, else at once. */
const loadRoutes: ControlRoute[] = [
  {
    method: 'POST',
    path: '/load',
    handle: ({ body }, simulator) => {
      const { component, wait, onEnd: _, ...options } = body;
      const appid = oneAppid(component, simulator);
      const started = simulator.startLoad(appid, options as unknown as LoadOptions);
      return wait === true ? simulator.waitForLoad() : started;
    },
  },
  { method: 'GET', path: '/load', handle: (_request, simulator) => simulator.loadReport() },
  { method: 'DELETE', path: '/load', handle: (_request, simulator) => simulator.stopLoad() },
];

/** The control of messages and events. */
export const messageControlRoutes: ControlRoute[] = [...sendRoutes, ...loadRoutes];

function accountIn(value: unknown): string {
  const appid = optionalText('account', value);
  if (appid) return appid;
  throw new SimulatorError('account must name an account');
}

function sendOptions<T>(options: Record<string, unknown>): T {
  const { fields } = options;
  if (fields !== undefined && (typeof fields !== 'object' || fields === null)) {
    throw new SimulatorError('fields must be an object');
  }
  for (const name of ['fromUser', 'msgId', 'url']) optionalText(name, options[name]);
  return options as T;
}
