import { authorizerControlRoutes } from './authorizer-control.routes.js';
import { oneAppid, optionalNumber, optionalText, type ControlRoute } from './control-route.js';
import { ANY } from './count-waiters.js';
import type { ComponentChange, ComponentOptions } from './fake-component.js';
import type { FaultSpec } from './fault-plan.js';
import { messageControlRoutes } from './message-control.routes.js';
import type { TicketPushOverrides } from './push-builder.js';
import type { TokenRefusal } from './token-book.js';

/** Observing calls: what arrived, what is held. */
const callRoutes: ControlRoute[] = [
  { method: 'GET', path: '/state', handle: (_request, simulator) => simulator.state() },
  { method: 'GET', path: '/calls', handle: (_request, simulator) => simulator.callSummary() },
  {
    method: 'DELETE',
    path: '/calls',
    handle: (_request, simulator) => {
      simulator.clearCalls();
      return { ok: true };
    },
  },
  {
    method: 'GET',
    path: '/wait',
    handle: async ({ query }, simulator) => ({
      arrived: await simulator.waitForCall(query.get('path') ?? ANY, {
        count: optionalNumber('count', query.get('count')),
        timeoutMs: optionalNumber('timeoutMs', query.get('timeoutMs')),
      }),
    }),
  },
  {
    method: 'POST',
    path: '/release',
    handle: ({ body }, simulator) => ({
      released: simulator.release(optionalText('path', body['path'])),
    }),
  },
];

/** Breaking calls. */
const faultRoutes: ControlRoute[] = [
  { method: 'GET', path: '/faults', handle: (_request, simulator) => simulator.listFaults() },
  {
    method: 'POST',
    path: '/faults',
    handle: ({ body }, simulator) => ({ id: simulator.addFault(body as unknown as FaultSpec) }),
  },
  {
    method: 'DELETE',
    path: '/faults',
    handle: (_request, simulator) => ({ removed: simulator.removeFaults() }),
  },
  {
    method: 'DELETE',
    path: '/faults/:id',
    handle: ({ params }, simulator) => ({ removed: simulator.removeFaults(params['id']) }),
  },
  {
    method: 'POST',
    path: '/outage',
    handle: ({ body }, simulator) => {
      simulator.setOutage(body['on'] === true);
      return { outage: simulator.state().outage };
    },
  },
];

/** Pushing tickets. */
const pushRoutes: ControlRoute[] = [
  {
    method: 'POST',
    path: '/push',
    handle: ({ body }, simulator) => {
      const { component, url, ...overrides } = body;
      const appid = oneAppid(component, simulator);
      const built = simulator.buildTicketPush(appid, overrides as TicketPushOverrides);
      return simulator.push(appid, built, { url: optionalText('url', url) });
    },
  },
  {
    method: 'GET',
    path: '/pushes',
    handle: ({ query }, simulator) =>
      simulator.pushResults(optionalNumber('limit', query.get('limit'))),
  },
];

/** Components and their tokens. */
const componentRoutes: ControlRoute[] = [
  {
    method: 'POST',
    path: '/components',
    handle: ({ body }, simulator) => {
      simulator.addComponent(body as unknown as ComponentOptions);
      return { ok: true };
    },
  },
  {
    method: 'PATCH',
    path: '/components/:appid',
    handle: ({ params, body }, simulator) => {
      const { pushing, ...change } = body;
      const appid = params['appid'] ?? '';
      simulator.updateComponent(appid, change as ComponentChange);
      if (pushing === true) simulator.startPushing(appid);
      if (pushing === false) simulator.stopPushing(appid);
      return { ok: true };
    },
  },
  {
    method: 'GET',
    path: '/components/:appid/current-token',
    handle: ({ params }, simulator) => {
      const token = simulator.currentToken(params['appid'] ?? '');
      return {
        component_access_token: token?.value ?? null,
        expiresAtMs: token?.expiresAtMs ?? null,
      };
    },
  },
  {
    method: 'POST',
    path: '/tokens/expire',
    handle: ({ body }, simulator) => {
      const errcode = optionalNumber('errcode', body['errcode']) as TokenRefusal | undefined;
      return {
        voided: simulator.expireTokens(oneAppid(body['component'], simulator), { errcode }),
      };
    },
  },
];

/** All routes of the control API, below `/__sim`. */
export const controlRoutes: ControlRoute[] = [
  ...callRoutes,
  ...faultRoutes,
  ...pushRoutes,
  ...componentRoutes,
  ...authorizerControlRoutes,
  ...messageControlRoutes,
];
