import { FakeComponent, type ComponentChange, type ComponentOptions } from './fake-component.js';
import { messageUrlOf } from './message-builder.js';
import { eventsUrl } from './push-builder.js';
import type { Pusher } from './pusher.js';
import { SimulatorError } from './wechat-error.js';

/** A component without its secrets. */
export interface ComponentState {
  appid: string;
  pushUrl: string | null;
  /** Where messages go, with `$APPID$`. */
  messageUrl: string | null;
  pushIntervalSeconds: number | null;
  pushing: boolean;
  tokenLifeSeconds: number;
  ticketsIssued: number;
  tokensIssued: number;
  pushesEnded: number;
}

/** The components there are; those with an interval are pushed to. */
export class ComponentBook {
  private readonly byAppid = new Map<string, FakeComponent>();

  constructor(
    private readonly pusher: Pusher,
    /** For components that set none of their own. */
    private readonly usual: { tokenLifeSeconds?: number; pushBaseUrl?: string },
  ) {}

  find(appid: string): FakeComponent | undefined {
    return this.byAppid.get(appid);
  }

  /** 404 where there is none. */
  get(appid: string): FakeComponent {
    const component = this.find(appid);
    if (!component) throw new SimulatorError(`no component ${appid}`, 404);
    return component;
  }

  /** The appid of the only component. */
  only(): string {
    const known = [...this.byAppid.keys()];
    const [only] = known;
    if (only === undefined) throw new SimulatorError('there is no component', 404);
    if (known.length === 1) return only;
    throw new SimulatorError(`component must name one of ${known.join(', ')}`);
  }

  add(options: ComponentOptions): void {
    const { appid } = options;
    if (this.byAppid.has(appid)) throw new SimulatorError(`${appid} exists already`, 409);
    const { tokenLifeSeconds, pushBaseUrl } = this.usual;
    const usualUrl = pushBaseUrl ? eventsUrl(pushBaseUrl, appid) : null;
    const component = new FakeComponent({
      ...options,
      tokenLifeSeconds: options.tokenLifeSeconds ?? tokenLifeSeconds,
      pushUrl: options.pushUrl === undefined ? usualUrl : options.pushUrl,
    });
    this.byAppid.set(appid, component);
    if (component.pushIntervalSeconds) this.pusher.start(component);
  }

  /** A new interval (re)starts pushing, `null` stops it. */
  update(appid: string, change: ComponentChange): void {
    const component = this.get(appid);
    component.change(change);
    if (change.pushIntervalSeconds === null) this.pusher.halt(appid);
    else if (change.pushIntervalSeconds !== undefined) this.pusher.start(component);
  }

  states(): ComponentState[] {
    return [...this.byAppid.values()].map((component) => {
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
    });
  }
}
