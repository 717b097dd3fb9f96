import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApiGateway } from './api-gateway.js';
import type { ApiRoute, SimulatorContext } from './api-route.js';
import { authorizationRoutes } from './authorization.routes.js';
import { AuthorizerBook } from './authorizer-book.js';
import { authorizerInfoRoutes } from './authorizer-info.routes.js';
import { authorizerOptionRoutes } from './authorizer-option.routes.js';
import { CallLog, type CallSummary } from './call-log.js';
import { componentTokenRoutes } from './component-token.routes.js';
import { consentPages } from './consent.pages.js';
import { controlRoutes } from './control.routes.js';
import { CONTROL_PREFIX, ControlServer } from './control-server.js';
import { CustomMessageLog } from './custom-message-log.js';
import { customMessageRoutes } from './custom-message.routes.js';
import { DEFAULT_PUSH_TIMEOUT_MS } from './defaults.js';
import { domainIpRoutes } from './domain-ip.routes.js';
import { FakeComponent, type ComponentChange, type ComponentOptions } from './fake-component.js';
import { FaultPlan, type FaultSpec, type PlannedFault } from './fault-plan.js';
import { messageUrlOf } from './message-builder.js';
import { MessageControl } from './message-control.js';
import { PageServer } from './page-server.js';
import {
  buildPush,
  eventsUrl,
  type BuiltPush,
  type PushOverrides,
  type TicketPushOverrides,
} from './push-builder.js';
import { pushTicketRoutes } from './push-ticket.routes.js';
import { Pusher, type PushResult } from './pusher.js';
import type {
  ComponentState,
  SimulatorOptions,
  SimulatorState,
  WaitOptions,
} from './simulator-types.js';
import { TokenBook, type CurrentToken, type TokenRefusal } from './token-book.js';
import { SimulatorError } from './wechat-error.js';

/** Longer than any client keeps an idle connection, so that the simulator never closes first. */
const KEEP_ALIVE_MS = 120_000;

/** A load test connects by the thousand at once; Node's 511 would make them wait. */
const LISTEN_BACKLOG = 4096;

/**
 * A WeChat to develop and test against: the component part of api.weixin.qq.com, the authorization
 * pages, pushes and messages, and the means to break them. Each method is also a route below `/__sim`.
 */
export class WechatSimulator extends MessageControl {
  protected readonly context: SimulatorContext;
  private readonly components = new Map<string, FakeComponent>();
  private readonly calls = new CallLog();
  private readonly now: () => number;
  private readonly tokens: TokenBook;
  private readonly faults: FaultPlan;
  private readonly pusher: Pusher;
  private readonly gateway: ApiGateway;
  private readonly control: ControlServer;
  private readonly pages: PageServer;
  private readonly server: Server;

  private constructor(private readonly options: SimulatorOptions) {
    super();
    this.now = options.now ?? Date.now;
    this.tokens = new TokenBook(this.now);
    this.faults = new FaultPlan(options.rng ?? Math.random);
    this.pusher = new Pusher(this.now, options.pushTimeoutMs ?? DEFAULT_PUSH_TIMEOUT_MS);
    const { now, components, tokens, pusher } = this;
    const authorizers = new AuthorizerBook(now);
    const messages = new CustomMessageLog();
    this.context = { now, components, tokens, pusher, authorizers, messages };
    this.gateway = new ApiGateway(apiRoutes(), this.context, this.calls, this.faults);
    this.pages = new PageServer(consentPages, this.context, this.calls);
    this.control = new ControlServer(controlRoutes, this);
    this.server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) =>
      this.dispatch(request, response),
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
    await Promise.all([this.pusher.stop(), this.cutMessages()]);
    await closed;
  }

  /** Adds a component at run time. */
  addComponent(options: ComponentOptions): void {
    if (this.components.has(options.appid)) {
      throw new SimulatorError(`${options.appid} exists already`, 409);
    }
    const { tokenLifeSeconds, pushBaseUrl } = this.options;
    const defaultUrl = pushBaseUrl ? eventsUrl(pushBaseUrl, options.appid) : null;
    const component = new FakeComponent({
      ...options,
      tokenLifeSeconds: options.tokenLifeSeconds ?? tokenLifeSeconds,
      pushUrl: options.pushUrl === undefined ? defaultUrl : options.pushUrl,
    });
    this.components.set(component.appid, component);
    if (component.pushIntervalSeconds) this.pusher.start(component);
  }

  /** Rotates secrets or changes behaviour; a new interval (re)starts pushing, `null` stops it. */
  updateComponent(appid: string, change: ComponentChange): void {
    const component = this.component(appid);
    component.change(change);
    if (change.pushIntervalSeconds === undefined) return;
    if (change.pushIntervalSeconds === null) this.pusher.halt(appid);
    else this.pusher.start(component);
  }

  /** Starts pushing every `pushIntervalSeconds` (default 600), the first after one interval. */
  startPushing(appid: string): void {
    this.pusher.start(this.component(appid));
  }

  /** Stops pushing, as WeChat does on its own after long failure. */
  stopPushing(appid: string): void {
    this.component(appid);
    this.pusher.halt(appid);
  }

  /** Builds a push of any InfoType from its decrypted XML, without sending it. */
  buildPush(appid: string, plaintextXml: string, overrides: PushOverrides = {}): BuiltPush {
    return buildPush(this.component(appid), this.now(), plaintextXml, overrides);
  }

  /** Builds a push of a new ticket without sending it; the ticket counts as issued. */
  buildTicketPush(appid: string, overrides: TicketPushOverrides = {}): BuiltPush {
    return this.pusher.buildTicketPush(this.component(appid), overrides);
  }

  /** Sends a built push to the component's `pushUrl` or to `url`. */
  async push(
    appid: string,
    built: BuiltPush,
    options: { url?: string | undefined } = {},
  ): Promise<PushResult> {
    return this.pusher.push(this.component(appid), built, options.url);
  }

  /** Builds and sends a ticket push. */
  async pushTicket(appid: string, overrides: TicketPushOverrides = {}): Promise<PushResult> {
    return this.push(appid, this.buildTicketPush(appid, overrides));
  }

  /** The last pushes, at most 1000, oldest first. */
  pushResults(limit?: number): PushResult[] {
    return this.pusher.lastResults(limit);
  }

  /** Resolves when `count` pushes for the component have ended since the start, well or badly. */
  async waitForPush(appid: string, options: WaitOptions = {}): Promise<number> {
    return this.pusher.ended.wait(this.component(appid).appid, options.count, options.timeoutMs);
  }

  /** Plans a fault; answers its id. */
  addFault(spec: FaultSpec): string {
    return this.faults.add(spec);
  }

  listFaults(): PlannedFault[] {
    return this.faults.list();
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
  async waitForCall(path: string, options: WaitOptions = {}): Promise<number> {
    return this.calls.arrivals.wait(path, options.count, options.timeoutMs);
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
    return this.tokens.current(this.component(appid).appid);
  }

  /** Refuses every working token of the component from now on; answers how many there were. */
  expireTokens(appid: string, options: { errcode?: TokenRefusal | undefined } = {}): number {
    const errcode = options.errcode ?? 42001;
    if (errcode !== 40001 && errcode !== 42001) {
      throw new SimulatorError('errcode must be 40001 or 42001');
    }
    return this.tokens.void(this.component(appid).appid, errcode);
  }

  /** Everything but secrets. */
  state(): SimulatorState {
    return {
      url: this.url,
      nowMs: this.now(),
      outage: this.gateway.isOut(),
      held: this.gateway.heldCount(),
      calls: this.calls.arrivals.count('*'),
      components: [...this.components.values()].map((component) => this.stateOf(component)),
      faults: this.faults.list(),
    };
  }

  private listen(): Promise<void> {
    const { port = 0, host = '127.0.0.1' } = this.options;
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ port, host, backlog: LISTEN_BACKLOG }, resolve);
    });
  }

  private stateOf(component: FakeComponent): ComponentState {
    const { appid, pushUrl, pushIntervalSeconds, tokenLifeSeconds, tokensIssued } = component;
    return {
      appid,
      pushUrl,
      messageUrl: messageUrlOf(component),
      pushIntervalSeconds,
      pushing: this.pusher.isRunning(appid),
      tokenLifeSeconds,
      ticketsIssued: component.tickets.issued,
      tokensIssued,
      pushesEnded: this.pusher.ended.count(appid),
    };
  }

  private dispatch(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('Date', new Date(this.now()).toUTCString());
    const target = request.url ?? '/';
    const mark = target.indexOf('?');
    const path = mark < 0 ? target : target.slice(0, mark);
    const search = mark < 0 ? '' : target.slice(mark + 1);
    if (this.pages.handle(request, response, path, search)) return;
    const handler = path.startsWith(`${CONTROL_PREFIX}/`) ? this.control : this.gateway;
    handler.handle(request, response, path, search);
  }
}

/** The API; a new feature adds its routes here. */
function apiRoutes(): ApiRoute[] {
  return [
    ...componentTokenRoutes,
    ...pushTicketRoutes,
    ...domainIpRoutes,
    ...authorizationRoutes,
    ...authorizerInfoRoutes,
    ...authorizerOptionRoutes,
    ...customMessageRoutes,
  ];
}
