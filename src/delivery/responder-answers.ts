import type { ArrivedPush } from '../callback/arrived-push.js';

/** What a target answered. */
export interface TargetAnswer {
  /** HTTP status. */
  status: number;
  /** Content-Type as it came; empty without one. */
  contentType: string;
  /** Read as UTF-8, 256 KiB at the most. */
  body: string;
}

/**
 * What a responder's answer means to WeChat. Delivering knows nothing of replies: whoever does
 * extends this and gives itself to `ResponderService.useAnswers` when it starts.
 */
export abstract class ResponderAnswers {
  /**
   * The passive reply (被动回复) that an answer of 2xx stands for.
   * @returns its XML; undefined for an empty answer, which is `success`.
   * @throws {HubError} whose message says what is wrong with it, and nothing of what it holds.
   */
  abstract interpret(push: ArrivedPush, answer: TargetAnswer): string | undefined;

  /** Sends a reply that came too late for WeChat as a customer-service message. */
  abstract late(push: ArrivedPush, replyXml: string): Promise<void>;
}
