import { AuthorizerControl } from './authorizer-control.js';
import { FakeAccount } from './fake-account.js';
import type { FakeComponent } from './fake-component.js';
import {
  accountUrl,
  plaintextOf,
  sealMessage,
  type MessageOverrides,
  type ReadyMessage,
  type SealedMessage,
} from './message-builder.js';
import { MessageIds, openidOf } from './message-ids.js';
import { MessageLoad, type LoadReport } from './message-load.js';
import { loadPlan, type LoadOptions, type LoadTarget } from './message-load.plan.js';
import {
  MESSAGE_TRIES,
  MessageSender,
  type MessageResult,
  type RetryPolicy,
} from './message-sender.js';
import { MESSAGE_FORMATS, type MessageFields, type MessageFormat } from './message-xml.js';
import { SimulatorError } from './wechat-error.js';

/** How a message or event is made up and sent; everything has a default. */
export interface SendOptions extends MessageOverrides, Partial<RetryPolicy> {
  /** Replace, add or (`null`) leave out fields; the usual ones of the type are there without it. */
  fields?: MessageFields;
  /** The user's openid; default one that is always the same for the account. */
  fromUser?: string;
  /** Decimal digits. Default: a new one for a message, none (`null`) for an event. */
  msgId?: string | null;
  /** Unix seconds; default now. */
  createTime?: number;
  /** Default `xml`. */
  format?: MessageFormat;
  /** Instead of the component's message URL; `$APPID$` is replaced. */
  url?: string;
}

/** A message of a user. */
export interface MessageOptions extends SendOptions {
  /** Default `text`. */
  msgType?: string;
}

/** An event of a user. */
export interface EventMessageOptions extends SendOptions {
  /** As WeChat spells it: `subscribe`, `SCAN`, `CLICK`. */
  event: string;
}

/** A message that is built and not sent. */
export interface BuiltMessage extends SealedMessage {
  plaintext: string;
  msgId: string | null;
  createTime: number;
  fromUser: string;
}

const MAX_TRIES = 100;

/** The part of the simulator's control that is about messages and events of accounts. */
export abstract class MessageControl extends AuthorizerControl {
  private readonly messageIds = new MessageIds();
  private readonly sender = new MessageSender(() => this.context.now());
  private load: MessageLoad | null = null;

  /**
   * A user of an account (of any appid, added or not) sends a message, as WeChat delivers it: each
   * try may take 5 s, there are three of them, and an answer of HTTP 200 ends it.
   */
  async sendMessage(
    componentAppid: string,
    accountAppid: string,
    options: MessageOptions = {},
  ): Promise<MessageResult> {
    const message = this.ready(componentAppid, accountAppid, options);
    return this.sender.send(message, this.policy(options));
  }

  /** The same for an event. */
  async sendEvent(
    componentAppid: string,
    accountAppid: string,
    options: EventMessageOptions,
  ): Promise<MessageResult> {
    const message = this.ready(componentAppid, accountAppid, options);
    return this.sender.send(message, this.policy(options));
  }

  /** Builds a message or event without sending it, to be sent later, twice or tampered with. */
  buildMessage(
    componentAppid: string,
    accountAppid: string,
    options: MessageOptions | EventMessageOptions = {},
  ): BuiltMessage {
    const message = this.ready(componentAppid, accountAppid, options);
    const { plaintext, msgId, createTime, fromUser } = message;
    return {
      ...sealMessage(message, this.context.now()),
      plaintext,
      msgId,
      createTime,
      fromUser,
    };
  }

  /** Starts to send messages at a steady rate; one load at a time, 409 otherwise. */
  startLoad(componentAppid: string, options: LoadOptions): LoadReport {
    if (this.load?.isRunning()) throw new SimulatorError('a load is running', 409);
    const component = this.component(componentAppid);
    const targets = this.loadTargets(component, options);
    const plan = loadPlan(component, options, targets, this.policy({ tries: 1, ...options }));
    this.load = new MessageLoad(plan, () => this.context.now(), this.messageIds);
    return this.load.report();
  }

  /** The load that is running or the last one, `null` before the first. */
  loadReport(): LoadReport | null {
    return this.load?.report() ?? null;
  }

  /** Resolves with the report when every message of the load has ended; 404 without a load. */
  async waitForLoad(): Promise<LoadReport> {
    if (!this.load) throw new SimulatorError('no load was started', 404);
    return this.load.ended;
  }

  /** Sends no more; what is under way goes on to its end. */
  stopLoad(): LoadReport | null {
    this.load?.stop();
    return this.loadReport();
  }

  /** Cuts every message that is under way. */
  protected async cutMessages(): Promise<void> {
    this.sender.stop();
    await this.load?.cut();
  }

  private ready(
    componentAppid: string,
    account: string,
    options: MessageOptions | EventMessageOptions,
  ): ReadyMessage {
    const component = this.component(componentAppid);
    const { createTime = Math.floor(this.context.now() / 1000), format = 'xml' } = options;
    const { fromUser = openidOf(`user of ${account}`), fields, url, ...overrides } = options;
    if (!MESSAGE_FORMATS.includes(format)) {
      throw new SimulatorError(`format must be one of ${MESSAGE_FORMATS.join(', ')}`);
    }
    const { msgType, event } = typesOf(options);
    const usualId = event === undefined ? this.messageIds.take() : null;
    const msgId = options.msgId === undefined ? usualId : options.msgId;
    const toUserName = this.userNameOf(account);
    const head = { toUserName, fromUser, createTime, msgId, format };
    const plaintext = plaintextOf({ ...head, msgType, event, fields });
    return {
      ...head,
      component,
      account,
      isEvent: event !== undefined,
      plaintext,
      url: accountUrl(component, account, url),
      overrides,
    };
  }

  private policy(options: Partial<RetryPolicy>): RetryPolicy {
    const { tries = MESSAGE_TRIES, freshSignature = true } = options;
    const { timeoutMs = this.context.pusher.timeoutMs } = options;
    if (!Number.isInteger(tries) || tries < 1 || tries > MAX_TRIES) {
      throw new SimulatorError(`tries must be a whole number from 1 to ${MAX_TRIES}`);
    }
    if (!(timeoutMs > 0)) throw new SimulatorError('timeoutMs must be a positive number');
    return { tries, freshSignature, timeoutMs };
  }

  /** The account's original id; accounts that were never added have one too. */
  private userNameOf(account: string): string {
    const known = this.context.authorizers.accounts.get(account);
    const { user_name: name } = (known ?? FakeAccount.from({ appid: account })).authorizerInfo();
    return String(name);
  }

  /** The accounts named, or the first ones that have authorized the component. */
  private loadTargets(component: FakeComponent, options: LoadOptions): LoadTarget[] {
    const { accounts = Infinity, url } = options;
    if (!Array.isArray(accounts) && typeof accounts !== 'number') {
      throw new SimulatorError('accounts must be a list of appids or a number');
    }
    const appids = Array.isArray(accounts) ? accounts : this.authorizedAppids(component, accounts);
    return appids.map((account) => ({
      account,
      toUserName: this.userNameOf(account),
      url: accountUrl(component, account, url),
    }));
  }

  private authorizedAppids({ appid }: FakeComponent, atMost: number): string[] {
    const authorized: string[] = [];
    for (const authorization of this.context.authorizers.authorizationsOf(appid)) {
      if (authorized.length >= atMost) break;
      if (authorization.authorized) authorized.push(authorization.account.appid);
    }
    const missing = atMost !== Infinity && authorized.length < atMost;
    if (authorized.length > 0 && !missing) return authorized;
    throw new SimulatorError(`only ${authorized.length} accounts have authorized ${appid}`, 409);
  }
}

function typesOf(options: MessageOptions | EventMessageOptions): {
  msgType: string;
  event?: string | undefined;
} {
  const event = 'event' in options ? options.event : undefined;
  const msgType = event === undefined ? ((options as MessageOptions).msgType ?? 'text') : 'event';
  for (const type of [msgType, event ?? msgType]) {
    if (typeof type === 'string' && type !== '') continue;
    throw new SimulatorError('msgType and event must be non-empty strings');
  }
  return { msgType, event };
}
