import type { EventOptions, PreAuthorized } from './authorizer-control.js';
import type { ConsentOptions } from './authorization-flow.js';
import { oneAppid, optionalNumber, optionalText, type ControlRoute } from './control-route.js';
import type { EventFields } from './event-xml.js';
import type { AccountBatch, AccountOptions } from './fake-account.js';
import type { TokenRefusal } from './token-book.js';
import { SimulatorError } from './wechat-error.js';

/** Accounts and what they decide. */
const accountRoutes: ControlRoute[] = [
  {
    method: 'POST',
    path: '/accounts',
    handle: ({ body }, simulator) => {
      const options = body as unknown as (AccountOptions | AccountBatch) & PreAuthorized;
      const appids = simulator.addAccounts(options);
      return { added: appids.length, first: appids[0], last: appids.at(-1) };
    },
  },
  {
    method: 'POST',
    path: '/authorize',
    handle: async ({ body }, simulator) => {
      const { component, account, ...options } = body;
      const appid = oneAppid(component, simulator);
      const result = await simulator.authorize(
        appid,
        accountIn(account),
        options as ConsentOptions & EventOptions,
      );
      return { ...result, event: undefined };
    },
  },
  {
    method: 'POST',
    path: '/reauthorize',
    handle: async ({ body }, simulator) => {
      const { component, account, ...options } = body;
      const appid = oneAppid(component, simulator);
      const result = await simulator.reauthorize(
        appid,
        accountIn(account),
        options as ConsentOptions & EventOptions,
      );
      return { ...result, event: undefined };
    },
  },
  {
    method: 'POST',
    path: '/withdraw',
    handle: async ({ body }, simulator) => {
      const { component, account, ...options } = body;
      const appid = oneAppid(component, simulator);
      const result = await simulator.withdraw(appid, accountIn(account), options as EventOptions);
      return { ...result, event: undefined };
    },
  },
];

/** What the simulator knows of authorizations, and how it treats them. */
const authorizationStateRoutes: ControlRoute[] = [
  {
    method: 'GET',
    path: '/authorizations',
    handle: ({ query }, simulator) =>
      simulator.authorizationCounts(oneAppid(query.get('component'), simulator)),
  },
  {
    method: 'GET',
    path: '/authorizations/:account',
    handle: ({ params, query }, simulator) =>
      simulator.authorizationOf(
        oneAppid(query.get('component'), simulator),
        params['account'] ?? '',
      ),
  },
  {
    method: 'GET',
    path: '/authorization-settings',
    handle: (_request, simulator) => simulator.configureAuthorizations(),
  },
  {
    method: 'PATCH',
    path: '/authorization-settings',
    handle: ({ body }, simulator) => simulator.configureAuthorizations(body),
  },
  {
    method: 'POST',
    path: '/authorizer-tokens/issue',
    handle: ({ body }, simulator) =>
      simulator.issueAuthorizerTokens(oneAppid(body['component'], simulator), {
        offset: optionalNumber('offset', body['offset']),
        count: optionalNumber('count', body['count']),
        lifeSeconds: optionalNumber('lifeSeconds', body['lifeSeconds']),
      }),
  },
  {
    method: 'POST',
    path: '/authorizer-tokens/expire',
    handle: ({ body }, simulator) => ({
      voided: simulator.expireAuthorizerTokens(oneAppid(body['component'], simulator), {
        account: optionalText('account', body['account']),
        errcode: optionalNumber('errcode', body['errcode']) as TokenRefusal | undefined,
      }),
    }),
  },
  {
    method: 'POST',
    path: '/authorizer-tokens/check',
    handle: ({ body }, simulator) => ({
      valid: simulator.isAuthorizerTokenValid(optionalText('token', body['token']) ?? ''),
    }),
  },
];

/** Events of any type, and the messages sent on behalf of accounts. */
const eventRoutes: ControlRoute[] = [
  {
    method: 'POST',
    path: '/events',
    handle: ({ body }, simulator) => {
      const infoType = optionalText('infoType', body['infoType']);
      if (!infoType) throw new SimulatorError('infoType must be a non-empty string');
      const fields = (body['fields'] ?? {}) as EventFields;
      return simulator.pushEvent(oneAppid(body['component'], simulator), infoType, fields, {
        createTime: optionalNumber('createTime', body['createTime']),
        url: optionalText('url', body['url']),
      });
    },
  },
  {
    method: 'GET',
    path: '/messages',
    handle: (_request, simulator) => simulator.customMessages(),
  },
  {
    method: 'DELETE',
    path: '/messages',
    handle: (_request, simulator) => {
      simulator.clearCustomMessages();
      return { ok: true };
    },
  },
];

/** The control of accounts and authorizations. */
export const authorizerControlRoutes: ControlRoute[] = [
  ...accountRoutes,
  ...authorizationStateRoutes,
  ...eventRoutes,
];

function accountIn(value: unknown): string {
  const appid = optionalText('account', value);
  if (appid) return appid;
  throw new SimulatorError('account must name an account');
}
