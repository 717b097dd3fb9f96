import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Accounts } from './accounts.js';
import { ApiGateway } from './api-gateway.js';
import type { SimulatorContext } from './api-route.js';
import { authorizerOptionRoutes } from './authorizer-option.routes.js';
import { authorizerRoutes } from './authorizer.routes.js';
import { AuthorizerBook } from './authorizer-book.js';
import { CallLog, CustomMessageLog, type CallSummary } from './call-log.js';
import { ComponentBook } from './component-book.js';
import { componentRoutes } from './component.routes.js';
import { consentPages } from './consent.pages.js';
import { CONTROL_PREFIX, handleControl, stateOf, type SimulatorState } from './control.js';
import { customMessageRoutes } from './custom-message.routes.js';
import { DEFAULT_PUSH_TIMEOUT_MS } from './defaults.js';
import type { ComponentChange, ComponentOptions } from './fake-component.js';
import { FaultPlan, type FaultSpec } from './fault-plan.js';
import { MediaBook } from './media-book.js';
import { mediaRoutes } from './media.routes.js';
import { QuotaBook } from './quota-book.js';
import { quotaRoutes } from './quota.routes.js';
import { WebBook } from './web-book.js';
import { webRoutes } from './web.routes.js';
import { Messages } from './messages.js';
import { PageServer } from './page-server.js';
import {
  buildPush,
  type BuiltPush,
  type PushOverrides,
  type TicketPushOverrides,
} from './push-builder.js';
import { Pusher, type PushResult } from './pusher.js';
import { TokenBook, type CurrentToken, type TokenRefusal } from './token-book.js';

/** How a simulator is started. */
export interface SimulatorOptions {
  /** Default 0: any free port. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  components?: ComponentOptions[];
  /** Life of component tokens where a component sets none, in seconds; default 7200. */
  tokenLifeSeconds?: number;
  /**
   * Base URL of the hub: components without a `pushUrl` get `<base>/callback/<appid>/events`, and
   * with it `<base>/callback/<appid>/messages/$APPID$` for messages.
   */
  pushBaseUrl?: string;
  /** Time allowed for a push in milliseconds; default 5000. */
  pushTimeoutMs?: number;
  /** Clock, Unix milliseconds; default `Date.now`. */
  now?: () => number;
  /** Draws for faults with a probability, 0 ≤ n < 1; default `Math.random`. */
  rng?: () => number;
}

/** What to wait for. Counts are totals since the start or the last `clearCalls()`. */
export interface WaitOptions {
  /** Default 1. */
  count?: number;
  /** Default 10000. */
  timeoutMs?: number;
}

/** Longer than any client keeps an idle connection, so that the simulator never closes first. */
const KEEP_ALIVE_MS = 120_000;

/** A load test connects by the thousand at once; Node's 511 would make them wait. */
const LISTEN_BACKLOG = 4096;

/** The API; a new feature adds its routes here. */
const API_ROUTES = [
  ...componentRoutes,
  ...authorizerRoutes,
  ...authorizerOptionRoutes,
  ...customMessageRoutes,
  ...mediaRoutes,
  ...quotaRoutes,
  ...webRoutes,
];

/**
 * A WeChat to develop and test against: the component part of api.weixin.qq.com, the authorization
 * pages, pushes and messages, and the means to break them. What a test does here, another program
 * does by the routes below `/__sim`, which `control.ts` lists.
 */
export class WechatSimulator {
  /** Accounts and what they decide. */
  readonly accounts: Accounts;
  /** Messages and events of the accounts' users. */
  readonly messages: Messages;
  /** What was sent with authorizer tokens. */
  readonly customMessages = new CustomMessageLog();
  /** Pages and mini programs of the accounts: their users' codes. */
  readonly web: WebBook;
  private readonly context: SimulatorContext;
  private readonly calls = new CallLog();
  private readonly faults: FaultPlan;
  private readonly gateway: ApiGateway;
  private readonly server: Server;

  private constructor(private readonly options: SimulatorOptions) {
    const { now = Date.now, rng = Math.random, pushTimeoutMs = DEFAULT_PUSH_TIMEOUT_MS } = options;
    const pusher = new Pusher(now, pushTimeoutMs);
    this.web = new WebBook(now);
    this.context = {
      now,
      pusher,
      components: new ComponentBook(pusher, options),
      tokens: new TokenBook(now),
      authorizers: new AuthorizerBook(now),
      customMessages: this.customMessages,
      media: new MediaBook(),
      quota: new QuotaBook(),
      web: this.web,
    };
    this.accounts = new Accounts(this.context);
    this.messages = new Messages(this.context);
    this.faults = new FaultPlan(rng);
    this.gateway = new ApiGateway(API_ROUTES, this.context, this.calls, this.faults);
    const pages = new PageServer(consentPages, this.context, this.calls);
    this.server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) =>
      this.dispatch(pages, request, response),
    );
  }

  /** Starts listening; the pushing of each component with an interval starts with it. */
  static async start(options: SimulatorOptions = {}): Promise<WechatSimulator> {
    const simulator = new WechatSimulator(options);
    try {
      await simulator.listen();
      for (const component of options.components ?? []) simulator.addComponent(component);
    } catch (error) {
      await simulator.stop();
      throw error;
    }
    return simulator;
  }

  /** Base URL, to be used in place of https://api.weixin.qq.com. */
  get url(): string {
    const { address, port, family } = this.server.address() as AddressInfo;
    const anywhere = address === '0.0.0.0' || address === '::';
    const host = anywhere ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address;
    return `http://${host}:${port}`;
  }

  /** Stops at once: held calls and pushes under way are cut, waits are rejected. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.calls.arrivals.rejectAll('the simulator was stopped');
    this.server.closeAllConnections();
    this.messages.stop();
    await this.context.pusher.stop();
    await closed;
  }

  /** Adds a component at run time. */
  addComponent(options: ComponentOptions): void {
    this.context.components.add(options);
  }

  /** Rotates secrets or changes behaviour; a new interval (re)starts pushing, `null` stops it. */
  updateComponent(appid: string, change: ComponentChange): void {
    this.context.components.update(appid, change);
  }

  /** Builds a push of any InfoType from its decrypted XML, without sending it. */
  buildPush(appid: string, plaintextXml: string, overrides: PushOverrides = {}): BuiltPush {
    const { components, now } = this.context;
    return buildPush(components.get(appid), now(), plaintextXml, overrides);
  }

  /** Builds a push of a new ticket without sending it; the ticket counts as issued. */
  buildTicketPush(appid: string, overrides: TicketPushOverrides = {}): BuiltPush {
    const { components, pusher } = this.context;
    return pusher.buildTicketPush(components.get(appid), overrides);
  }

  /** Sends a built push to the component's `pushUrl` or to `url`. */
  async push(appid: string, built: BuiltPush, { url }: { url?: string } = {}): Promise<PushResult> {
    return this.context.pusher.push(this.context.components.get(appid), built, url);
  }

  /** Builds and sends a ticket push. */
  async pushTicket(appid: string, overrides: TicketPushOverrides = {}): Promise<PushResult> {
    return this.push(appid, this.buildTicketPush(appid, overrides));
  }

  /** Resolves when `count` pushes for the component have ended since the start, well or badly. */
  async waitForPush(appid: string, { count, timeoutMs }: WaitOptions = {}): Promise<number> {
    const { components, pusher } = this.context;
    return pusher.ended.wait(components.get(appid).appid, count, timeoutMs);
  }

  /** Plans a fault; answers its id. */
  addFault(spec: FaultSpec): string {
    return this.faults.add(spec);
  }

  /** Removes one fault or all; answers how many went. Held calls stay held. */
  removeFaults(id?: string): number {
    return this.faults.remove(id);
  }

  /** `true` cuts every API connection at once and each new call; the control API stays up. */
  setOutage(on: boolean): void {
    this.gateway.setOutage(on);
  }

  /**
   * Resolves with the total when `count` calls of the path (`*`: any) have arrived. They need not
   * be answered; a call that is held or cut with `afterEffect` has had its effect by then.
   */
  async waitForCall(path: string, { count, timeoutMs }: WaitOptions = {}): Promise<number> {
    return this.calls.arrivals.wait(path, count, timeoutMs);
  }

  /** Lets calls held by `hang` go on to their answer; answers how many there were. */
  release(path?: string): number {
    return this.gateway.release(path);
  }

  callSummary(): CallSummary {
    return this.calls.summary();
  }

  /** Counts start at zero again. */
  clearCalls(): void {
    this.calls.clear();
  }

  /** The component's newest token, `null` when none works. */
  currentToken(appid: string): CurrentToken | null {
    return this.context.tokens.current(this.context.components.get(appid).appid);
  }

  /** Refuses every working token of the component from now on; answers how many there were. */
  expireTokens(appid: string, { errcode }: { errcode?: TokenRefusal } = {}): number {
    return this.context.tokens.void(this.context.components.get(appid).appid, errcode);
  }

  /** Everything but secrets. */
  state(): SimulatorState {
    return stateOf(this.controlled());
  }

  private listen(): Promise<void> {
    const { port = 0, host = '127.0.0.1' } = this.options;
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ port, host, backlog: LISTEN_BACKLOG }, resolve);
    });
  }

  /** The parts that the control API drives. */
  private controlled() {
    const { url, context, accounts, messages, calls, faults, gateway } = this;
    return { url, ...context, accounts, messages, calls, faults, gateway };
  }

  private dispatch(pages: PageServer, request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('Date', new Date(this.context.now()).toUTCString());
    const [path = '/', ...rest] = (request.url ?? '/').split('?');
    const search = rest.join('?');
    if (pages.handle(request, response, path, search)) return;
    if (!path.startsWith(`${CONTROL_PREFIX}/`)) {
      return this.gateway.handle(request, response, path, search);
    }
    handleControl(this.controlled(), request, response, { path, search });
  }
}
