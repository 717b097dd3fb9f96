import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Accounts, EventOptions, PreAuthorized } from './accounts.js';
import type { ApiGateway } from './api-gateway.js';
import type { SimulatorContext } from './api-route.js';
import type { ConsentOptions } from './authorization-flow.js';
import type { CallLog } from './call-log.js';
import type { ComponentState } from './component-book.js';
import { ANY } from './count-waiters.js';
import type { EventFields } from './push-text.js';
import type { AccountBatch, AccountOptions } from './fake-account.js';
import type { ComponentOptions } from './fake-component.js';
import type { FaultPlan, FaultSpec, PlannedFault } from './fault-plan.js';
import { readBody, sendBody } from './http-body.js';
import type { EventMessageOptions, Messages } from './messages.js';
import type { TokenRefusal } from './token-book.js';
import { SimulatorError } from './wechat-error.js';

/** Where the control API begins. */
export const CONTROL_PREFIX = '/__sim';

/** What the control API drives. */
export interface Controlled extends SimulatorContext {
  url: string;
  accounts: Accounts;
  messages: Messages;
  calls: CallLog;
  faults: FaultPlan;
  gateway: ApiGateway;
}

/** What `GET /__sim/state` answers. */
export interface SimulatorState {
  url: string;
  nowMs: number;
  outage: boolean;
  held: number;
  calls: number;
  components: ComponentState[];
  faults: PlannedFault[];
}

/** Everything but secrets. */
export function stateOf({ url, now, calls, components, ...parts }: Controlled): SimulatorState {
  return {
    url,
    nowMs: now(),
    outage: parts.gateway.isOut(),
    held: parts.gateway.heldCount(),
    calls: calls.arrivals.count(ANY),
    components: components.states(),
    faults: parts.faults.list(),
  };
}

/** What a request says: the members of its body and query, and the `:name` parts of its path. */
class Said {
  constructor(
    private readonly simulator: Controlled,
    private readonly values: Record<string, unknown>,
  ) {}

  /** An optional number. */
  number(name: string): number | undefined {
    const value = this.values[name] ?? '';
    if (value === '') return undefined;
    const number = Number(value);
    if (Number.isFinite(number)) return number;
    throw new SimulatorError(`${name} must be a number`);
  }

  /** An optional string. */
  text(name: string): string | undefined {
    const value = this.values[name] ?? undefined;
    if (value === undefined || typeof value === 'string') return value;
    throw new SimulatorError(`${name} must be a string`);
  }

  /** A string that must be there. */
  needed(name: string): string {
    const value = this.text(name);
    if (value) return value;
    throw new SimulatorError(`${name} must be a non-empty string`);
  }

  /** The component meant: named, or the only one there is. */
  component(): string {
    return this.text('component') ?? this.simulator.components.only();
  }

  /** Component and account, then everything else as the options of a method that checks them. */
  ofAccount<T>(): [string, string, T] {
    const { component: _, account: __, ...options } = this.values;
    return [this.component(), this.needed('account'), options as T];
  }

  /** Everything, as the argument of a method that checks it. */
  all<T>(): T {
    return this.values as T;
  }

  /** The options of a message or event. */
  message(): [string, string, EventMessageOptions] {
    const { fields = {} } = this.values;
    if (typeof fields !== 'object') throw new SimulatorError('fields must be an object');
    for (const name of ['fromUser', 'msgId', 'url']) this.text(name);
    return this.ofAccount();
  }

  refusal(): TokenRefusal | undefined {
    return this.number('errcode') as TokenRefusal | undefined;
  }
}

type Handler = (simulator: Controlled, said: Said) => unknown;
type Consents = ConsentOptions & EventOptions;
const OK = { ok: true };

/** Every route below `/__sim`; what a handler gives is answered as JSON. */
const ROUTES: Readonly<Record<string, Handler>> = {
  'GET /state': (simulator) => stateOf(simulator),
  'GET /calls': ({ calls }) => calls.summary(),
  'DELETE /calls': ({ calls }) => (calls.clear(), OK),
  'GET /wait': async ({ calls }, said) => ({
    arrived: await calls.arrivals.wait(
      said.text('path') ?? ANY,
      said.number('count'),
      said.number('timeoutMs'),
    ),
  }),
  'POST /release': ({ gateway }, said) => ({ released: gateway.release(said.text('path')) }),

  'GET /faults': ({ faults }) => faults.list(),
  'POST /faults': ({ faults }, said) => ({ id: faults.add(said.all<FaultSpec>()) }),
  'DELETE /faults': ({ faults }) => ({ removed: faults.remove() }),
  'DELETE /faults/:id': ({ faults }, said) => ({ removed: faults.remove(said.text('id')) }),
  'POST /outage': ({ gateway }, said) => {
    gateway.setOutage(said.all<{ on?: unknown }>().on === true);
    return { outage: gateway.isOut() };
  },

  'POST /push': ({ components, pusher }, said) => {
    const component = components.get(said.component());
    return pusher.push(component, pusher.buildTicketPush(component, said.all()), said.text('url'));
  },
  'GET /pushes': ({ pusher }, said) => pusher.lastResults(said.number('limit')),

  'POST /components': ({ components }, said) => (components.add(said.all<ComponentOptions>()), OK),
  'PATCH /components/:appid': ({ components, pusher }, said) => {
    const { appid, pushing, ...change } = said.all<{ appid: string; pushing?: unknown }>();
    components.update(appid, change);
    if (pushing === true) pusher.start(components.get(appid));
    if (pushing === false) pusher.halt(appid);
    return OK;
  },
  'GET /components/:appid/current-token': ({ components, tokens }, said) => {
    const token = tokens.current(components.get(said.needed('appid')).appid);
    return {
      component_access_token: token?.value ?? null,
      expiresAtMs: token?.expiresAtMs ?? null,
    };
  },
  'POST /tokens/expire': ({ components, tokens }, said) => ({
    voided: tokens.void(components.get(said.component()).appid, said.refusal()),
  }),

  'POST /accounts': ({ accounts }, said) => {
    const appids = accounts.add(said.all<(AccountOptions | AccountBatch) & PreAuthorized>());
    return { added: appids.length, first: appids[0], last: appids.at(-1) };
  },
  'POST /authorize': async ({ accounts }, said) => ({
    ...(await accounts.authorize(...said.ofAccount<Consents>())),
    event: undefined,
  }),
  'POST /reauthorize': async ({ accounts }, said) => ({
    ...(await accounts.reauthorize(...said.ofAccount<Consents>())),
    event: undefined,
  }),
  'POST /withdraw': async ({ accounts }, said) => ({
    ...(await accounts.withdraw(...said.ofAccount<EventOptions>())),
    event: undefined,
  }),
  'GET /authorizations': ({ accounts }, said) => accounts.counts(said.component()),
  'GET /authorizations/:account': ({ accounts }, said) =>
    accounts.authorizationOf(said.component(), said.needed('account')),
  'GET /authorization-settings': ({ accounts }) => accounts.configure(),
  'PATCH /authorization-settings': ({ accounts }, said) => accounts.configure(said.all()),
  'POST /authorizer-tokens/issue': ({ accounts }, said) =>
    accounts.issueTokens(said.component(), {
      offset: said.number('offset'),
      count: said.number('count'),
      lifeSeconds: said.number('lifeSeconds'),
    }),
  'POST /authorizer-tokens/expire': ({ accounts }, said) => ({
    voided: accounts.expireTokens(said.component(), {
      account: said.text('account'),
      errcode: said.refusal(),
    }),
  }),
  'POST /authorizer-tokens/check': ({ accounts }, said) => ({
    valid: accounts.isTokenValid(said.text('token') ?? ''),
  }),
  'POST /events': ({ accounts }, said) => {
    const { fields } = said.all<{ fields?: EventFields }>();
    return accounts.pushEvent(said.component(), said.needed('infoType'), fields, {
      createTime: said.number('createTime'),
      url: said.text('url'),
    });
  },

  'POST /send-message': ({ messages }, said) => messages.send(...said.message()),
  'POST /send-event': ({ messages }, said) => {
    const [component, account, options] = said.message();
    return messages.sendEvent(component, account, { ...options, event: options.event ?? '' });
  },
  'GET /messages': ({ customMessages }) => customMessages.last(),
  'DELETE /messages': ({ customMessages }) => (customMessages.clear(), OK),
};

/** The routes as a person writes them, e.g. `POST /__sim/push`. */
export const CONTROL_ROUTES = Object.keys(ROUTES).map((route) =>
  route.replace(' ', ` ${CONTROL_PREFIX}`),
);

/** Serves a request below the prefix: JSON in, JSON out, `{"error":"…"}` with a 4xx for a mistake. */
export function handleControl(
  simulator: Controlled,
  request: IncomingMessage,
  response: ServerResponse,
  { path, search }: { path: string; search: string },
): void {
  const send = (status: number, answer: unknown) =>
    sendBody(response, status, 'application/json; charset=utf-8', JSON.stringify(answer));
  const run = async (body: string) => {
    const { handle, named } = find(`${request.method} ${path.slice(CONTROL_PREFIX.length)}`);
    const query = Object.fromEntries(new URLSearchParams(search));
    return handle(simulator, new Said(simulator, { ...query, ...parse(body), ...named }));
  };
  readBody(request, (body) => {
    run(body).then(
      (answer) => send(200, answer),
      (error: Error) => {
        send(error instanceof SimulatorError ? error.status : 500, { error: error.message });
      },
    );
  });
}

/** The route that a request is for, and the values of the `:name` parts of its path. */
function find(target: string): { handle: Handler; named: Record<string, string> } {
  for (const [route, handle] of Object.entries(ROUTES)) {
    const pattern = route.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)');
    const match = new RegExp(`^${pattern}$`).exec(target);
    if (!match) continue;
    const named = Object.entries(match.groups ?? {}).map(([name, value]) => [
      name,
      decodeURIComponent(value),
    ]);
    return { handle, named: Object.fromEntries(named) };
  }
  throw new SimulatorError(`no route ${target.replace(' ', ` ${CONTROL_PREFIX}`)}`, 404);
}

function parse(body: string): Record<string, unknown> {
  if (body === '') return {};
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Falls through: unreadable and not-an-object are the same mistake to the caller.
  }
  throw new SimulatorError('the body must be a JSON object');
}
