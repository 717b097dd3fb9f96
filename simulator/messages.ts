import type { SimulatorContext } from './api-route.js';
import { FakeAccount } from './fake-account.js';
import {
  accountUrl,
  plaintextOf,
  sealMessage,
  type MessageOverrides,
  type ReadyMessage,
  type SealedMessage,
} from './message-builder.js';
import {
  MESSAGE_TRIES,
  MessageSender,
  type MessageResult,
  type RetryPolicy,
} from './message-sender.js';
import { MESSAGE_FORMATS, type MessageFields, type MessageFormat } from './push-text.js';
import { MessageIds, openidOf } from './random-values.js';
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

/** Messages and events of accounts, which need not have been added. */
export class Messages {
  private readonly ids = new MessageIds();
  private readonly sender: MessageSender;

  constructor(private readonly context: SimulatorContext) {
    this.sender = new MessageSender(context.now);
  }

  /**
   * A user of an account sends a message, as WeChat delivers it: each try may take 5 s, there are
   * three of them, and an answer of HTTP 200 ends it.
   */
  async send(
    componentAppid: string,
    accountAppid: string,
    options: MessageOptions = {},
  ): Promise<MessageResult> {
    const message = this.ready(componentAppid, accountAppid, options);
    return this.sender.send(message, this.policy(options));
  }

  /** The same for an event. */
  sendEvent(
    componentAppid: string,
    accountAppid: string,
    options: EventMessageOptions,
  ): Promise<MessageResult> {
    return this.send(componentAppid, accountAppid, options);
  }

  /** Builds a message or event without sending it, to be sent later, twice or tampered with. */
  build(
    componentAppid: string,
    accountAppid: string,
    options: MessageOptions | EventMessageOptions = {},
  ): BuiltMessage {
    const message = this.ready(componentAppid, accountAppid, options);
    const { plaintext, msgId, createTime, fromUser } = message;
    const sealed = sealMessage(message, this.context.now());
    return { ...sealed, plaintext, msgId, createTime, fromUser };
  }

  /** Cuts every message that is under way; none is sent from now on. */
  stop(): void {
    this.sender.stop();
  }

  private ready(
    componentAppid: string,
    account: string,
    options: MessageOptions | EventMessageOptions,
  ): ReadyMessage {
    const component = this.context.components.get(componentAppid);
    const { createTime = Math.floor(this.context.now() / 1000), format = 'xml' } = options;
    const { fromUser = openidOf(`user of ${account}`), fields, url, ...overrides } = options;
    if (!MESSAGE_FORMATS.includes(format)) {
      throw new SimulatorError(`format must be one of ${MESSAGE_FORMATS.join(', ')}`);
    }
    const { msgType, event } = typesOf(options);
    const usualId = event === undefined ? this.ids.take() : null;
    const msgId = options.msgId === undefined ? usualId : options.msgId;
    const toUserName = this.userNameOf(account);
    const head = { toUserName, fromUser, createTime, msgId, format };
    return {
      ...head,
      component,
      account,
      isEvent: event !== undefined,
      plaintext: plaintextOf({ ...head, msgType, event, fields }),
      url: accountUrl(component, account, url),
      overrides,
    };
  }

  private policy(options: MessageOptions): RetryPolicy {
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
