import { Injectable } from '@nestjs/common';

/**
 * Whether this process stops. It is said before the application is closed: closing finishes what
 * is under way first, and with requests coming on that would never be done.
 */
@Injectable()
export class Stopping {
  private stopping = false;

  get begun(): boolean {
    return this.stopping;
  }

  /** From now on requests are refused. */
  begin(): void {
    this.stopping = true;
  }
}
