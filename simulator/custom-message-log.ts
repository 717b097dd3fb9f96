/** How many messages are kept. */
const KEPT_MESSAGES = 10_000;

/** A customer message that was sent with an authorizer token. */
export interface CustomMessage {
  component: string;
  /** The account in whose name it was sent. */
  account: string;
  touser: string;
  msgtype: string;
  /** The whole JSON body. */
  body: Record<string, unknown>;
  /** Unix milliseconds of the simulator's clock. */
  atMs: number;
}

/** The customer messages sent, to be looked at by tests. */
export class CustomMessageLog {
  private messages: CustomMessage[] = [];

  add(message: CustomMessage): void {
    this.messages.push(message);
    // Trimmed at twice the size, so that a call under load does not pay for shifting the list.
    if (this.messages.length >= 2 * KEPT_MESSAGES) {
      this.messages = this.messages.slice(-KEPT_MESSAGES);
    }
  }

  /** The last 10000 at most, oldest first. */
  last(): CustomMessage[] {
    return this.messages.slice(-KEPT_MESSAGES);
  }

  clear(): void {
    this.messages = [];
  }
}
