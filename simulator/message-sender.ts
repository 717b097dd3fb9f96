import { Agent } from 'node:http';
import { performance } from 'node:perf_hooks';
import { judgeAnswer, type MessageOutcome, type PassiveReply } from './message-answer.js';
import { sealMessage, type ReadyMessage } from './message-builder.js';
import { postPush, type CancelPush, type PushAnswer } from './push-transport.js';
import { SimulatorError } from './wechat-error.js';

/** "Three tries in all" (消息推送): the first one counted. */
export const MESSAGE_TRIES = 3;

/** A passive reply is at most a few KiB; more is kept to show what came instead. */
const KEPT_BODY_CHARACTERS = 65_536;

/** How often WeChat sends a message that gets no answer. */
export interface RetryPolicy {
  /** Tries in all. */
  tries: number;
  /** For each try, in milliseconds. */
  timeoutMs: number;
  /** Whether each try is encrypted and signed again; `false`: the same bytes each time. */
  freshSignature: boolean;
}

/** One try. */
export interface MessageTry extends PushAnswer {
  outcome: MessageOutcome;
  /** Milliseconds. */
  ms: number;
}

/** How a message or event went. */
export interface MessageResult {
  /** Appids. */
  component: string;
  account: string;
  fromUser: string;
  createTime: number;
  msgId: string | null;
  plaintext: string;
  /** That of the last try. */
  outcome: MessageOutcome;
  /** The decrypted reply, verified; `null` where the answer is none. */
  reply: PassiveReply | null;
  /** What is wrong with a malformed answer. */
  problem: string | null;
  tries: MessageTry[];
  /** All tries together, in milliseconds. */
  ms: number;
}

/** WeChat's side of the message URL: sends until it is answered, three times at the most. */
export class MessageSender {
  private readonly agent = new Agent({ keepAlive: true });
  private readonly underWay = new Set<CancelPush>();
  private stopped = false;

  constructor(private readonly now: () => number) {}

  /** What goes wrong is a result, not an error. */
  async send(message: ReadyMessage, policy: RetryPolicy): Promise<MessageResult> {
    if (this.stopped) throw new SimulatorError('the simulator is stopped', 409);
    const { component, account, fromUser, createTime, msgId, plaintext } = message;
    const began = performance.now();
    const tries: MessageTry[] = [];
    let sealed = sealMessage(message, this.now());
    for (;;) {
      const triedAt = performance.now();
      const { agent } = this;
      const { timeoutMs } = policy;
      const request = { ...sealed, agent, timeoutMs, maxCharacters: KEPT_BODY_CHARACTERS };
      const answer = await postPush(request, this.underWay);
      const { reply, problem, outcome } = judgeAnswer(message, answer);
      tries.push({ ...answer, outcome, ms: since(triedAt) });
      const again = outcome === 'unanswered' || outcome === 'refused';
      if (!again || tries.length >= policy.tries || this.stopped) {
        const names = { component: component.appid, account, fromUser };
        const said = { createTime, msgId, plaintext };
        return { ...names, ...said, outcome, reply, problem, tries, ms: since(began) };
      }
      if (policy.freshSignature) sealed = sealMessage(message, this.now());
    }
  }

  /** Cuts what is under way. */
  stop(): void {
    this.stopped = true;
    for (const cancel of this.underWay) cancel(new Error('the simulator was stopped'), 'stopped');
    this.agent.destroy();
  }
}

/** Milliseconds, to the microsecond. */
function since(began: number): number {
  return Math.round((performance.now() - began) * 1000) / 1000;
}
