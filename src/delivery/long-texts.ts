import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { ArrivedPush } from '../callback/arrived-push.js';
import { MAX_TEXT_BYTES } from '../reply/passive-reply.js';
import { ResponderAnswers, type SentText } from '../reply/responder-answers.js';
import type { ResponderReply } from '../reply/responder-reply.js';
import type { Subscription } from '../subscription/subscription.js';

const TOO_LONG = `The text is longer than ${MAX_TEXT_BYTES} bytes`;
/** What WeChat needs to show the reply before it gets the next message, in milliseconds. */
const BEHIND_REPLY_MS = 300;

/** Sends what a passive reply has no room for as customer-service messages, where that is set. */
@Injectable()
export class LongTexts {
  constructor(private readonly answers: ResponderAnswers) {}

  /**
   * What is to be put on record of a reply that WeChat has been given; undefined where all of it was
   * sent. Called when the reply is on its way.
   */
  async remarkOn(
    push: ArrivedPush,
    { splitText }: Pick<Subscription, 'splitText'>,
    reply?: ResponderReply,
  ): Promise<string | undefined> {
    const { rest } = reply ?? {};
    if (rest === undefined) return undefined;
    if (!splitText) return `${TOO_LONG} and was cut: ${Buffer.byteLength(rest)} were not sent`;
    await delay(BEHIND_REPLY_MS);
    return `${TOO_LONG}; ${howItWent(await this.answers.sendText(push, rest))}`;
  }
}

function howItWent({ sent, parts, error }: SentText): string {
  const messages = parts === 1 ? 'customer-service message' : 'customer-service messages';
  if (sent === parts) return `the rest was sent as ${parts} ${messages}`;
  if (sent === 0) return `the rest was not sent: ${error}`;
  const why = error ?? 'WeChat allows no more';
  return `${sent} of ${parts} ${messages} with the rest were sent: ${why}`;
}
