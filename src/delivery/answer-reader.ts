import { Injectable } from '@nestjs/common';
import type { ArrivedPush } from '../callback/arrived-push.js';
import { HubError } from '../common/hub-error.js';
import type { ResponderAnswers, TargetAnswer } from './responder-answers.js';

/** What a responder's answer comes to. */
export interface ReadAnswer {
  /** The passive reply; undefined for an empty answer. */
  replyXml?: string;
  /** What is wrong with it. */
  error?: string;
}

/** Reads the answers of responders by whoever knows what they mean. */
@Injectable()
export class AnswerReader {
  private answers?: ResponderAnswers;

  use(answers: ResponderAnswers): void {
    this.answers = answers;
  }

  read(push: ArrivedPush, answer: TargetAnswer): ReadAnswer {
    try {
      return { replyXml: this.answers?.interpret(push, answer) };
    } catch (error) {
      return { error: error instanceof HubError ? error.message : 'The answer is not usable' };
    }
  }

  /** @returns what kept a late reply from being sent; undefined when it was. */
  async sendLate(push: ArrivedPush, replyXml: string): Promise<string | undefined> {
    try {
      await this.answers?.late(push, replyXml);
      return undefined;
    } catch (error) {
      const why = error instanceof HubError ? error.message : 'it failed';
      return `The late reply could not be sent as a customer-service message: ${why}`;
    }
  }
}
