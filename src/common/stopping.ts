import { Injectable } from '@nestjs/common';

/**
 * Whether this process stops, in two steps. It is announced first, for those who choose whom to
 * ask, while every request is still served. Then it begins, before the application is closed:
 * closing finishes what is under way first, and with requests coming on that would never be done.
 */
@Injectable()
export class Stopping {
  private step: 'none' | 'announced' | 'begun' = 'none';

  /** Whether this hub will stop, or does. */
  get announced(): boolean {
    return this.step !== 'none';
  }

  get begun(): boolean {
    return this.step === 'begun';
  }

  /** From now on readiness says no. */
  announce(): void {
    if (this.step === 'none') this.step = 'announced';
  }

  /** From now on requests are refused. */
  begin(): void {
    this.step = 'begun';
  }
}
