import { SimulatorError } from './wechat-error.js';

/** What WeChat and a third-party platform have agreed on. */
export interface ComponentSettings {
  appid: string;
  appsecret: string;
  /** The Token of the callback URLs. */
  token: string;
  /** 43 characters of a-zA-Z0-9. */
  encodingAesKey: string;
}

/** Settings of the simulator's own behaviour towards one component. */
export interface ComponentBehaviour {
  /** The 授权事件接收URL, complete; `null` stops pushing to it. */
  pushUrl?: string | null;
  /**
   * The 消息与事件接收URL, complete, with `$APPID$` where the account's appid goes. `null` (default):
   * `pushUrl` with `messages/$APPID$` for its `events`, as the hub has them.
   */
  messageUrl?: string | null;
  /** Seconds between two ticket pushes; setting it starts pushing, `null` stops it. */
  pushIntervalSeconds?: number | null;
  /** Life of the tokens issued from now on, in seconds. */
  tokenLifeSeconds?: number;
}

/** A component as it is added. */
export type ComponentOptions = ComponentSettings & ComponentBehaviour;

/** What can be changed of a component at run time; later pushes and checks use it. */
export type ComponentChange = Partial<Omit<ComponentSettings, 'appid'>> & ComponentBehaviour;

/** Life of a component_access_token as answered in `expires_in`. Seconds. */
const DEFAULT_TOKEN_LIFE_SECONDS = 7200;

/** A ticket stays valid for 12 hours (component_verify_ticket page). Seconds. */
const TICKET_LIFE_SECONDS = 12 * 60 * 60;

/** Under a load test tickets are pushed by the thousand; the oldest are forgotten beyond this. */
const REMEMBERED = 100_000;

/** The tickets issued to one component. A newer ticket does not void the older ones. */
class TicketBook {
  private readonly createTimes = new Map<string, number>();
  /** How many tickets were ever issued. */
  issued = 0;

  /** @param createTime the push's CreateTime, Unix seconds. */
  remember(ticket: string, createTime: number): void {
    this.issued += 1;
    this.createTimes.set(ticket, createTime);
    if (this.createTimes.size <= REMEMBERED) return;
    // A Map iterates in the order of insertion, so the first key is the oldest.
    for (const oldest of this.createTimes.keys()) {
      this.createTimes.delete(oldest);
      break;
    }
  }

  /** @param nowMs Unix time in milliseconds. */
  check(ticket: string, nowMs: number): 'valid' | 'expired' | 'unknown' {
    const createTime = this.createTimes.get(ticket);
    if (createTime === undefined) return 'unknown';
    return nowMs / 1000 - createTime > TICKET_LIFE_SECONDS ? 'expired' : 'valid';
  }
}

/** One third-party platform as WeChat knows it. */
export class FakeComponent {
  readonly appid: string;
  readonly tickets = new TicketBook();
  appsecret: string;
  token: string;
  encodingAesKey: string;
  pushUrl: string | null = null;
  messageUrl: string | null = null;
  pushIntervalSeconds: number | null = null;
  tokenLifeSeconds = DEFAULT_TOKEN_LIFE_SECONDS;
  tokensIssued = 0;

  constructor(options: ComponentOptions) {
    this.appid = requireText('appid', options.appid);
    this.appsecret = requireText('appsecret', options.appsecret);
    this.token = requireText('token', options.token);
    this.encodingAesKey = requireKey(options.encodingAesKey);
    this.change(options);
  }

  /** Applies a change as a whole: a value that is refused leaves everything as it was. */
  change(change: ComponentChange): void {
    const next = {
      appsecret: requireText('appsecret', change.appsecret ?? this.appsecret),
      token: requireText('token', change.token ?? this.token),
      encodingAesKey: requireKey(change.encodingAesKey ?? this.encodingAesKey),
      pushUrl: optional(change.pushUrl, this.pushUrl, (url) => requireUrl('pushUrl', url)),
      messageUrl: optional(change.messageUrl, this.messageUrl, (url) =>
        requireUrl('messageUrl', url),
      ),
      pushIntervalSeconds: optional(
        change.pushIntervalSeconds,
        this.pushIntervalSeconds,
        (seconds) => requirePositive('pushIntervalSeconds', seconds),
      ),
      tokenLifeSeconds: requirePositive(
        'tokenLifeSeconds',
        change.tokenLifeSeconds ?? this.tokenLifeSeconds,
      ),
    };
    Object.assign(this, next);
  }
}

/** `undefined` keeps the present value, `null` clears it. */
function optional<T>(value: T | null | undefined, present: T | null, check: (value: T) => T) {
  if (value === undefined) return present;
  return value === null ? null : check(value);
}

function requireText(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new SimulatorError(`${name} must be a non-empty string`);
}

function requireKey(value: unknown): string {
  if (typeof value === 'string' && /^[a-zA-Z0-9]{43}$/.test(value)) return value;
  throw new SimulatorError('encodingAesKey must be 43 characters of a-zA-Z0-9');
}

function requirePositive(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw new SimulatorError(`${name} must be a positive number`);
}

function requireUrl(name: string, value: unknown): string {
  if (typeof value === 'string' && URL.canParse(value) && value.startsWith('http://')) return value;
  throw new SimulatorError(`${name} must be an http:// URL`);
}
