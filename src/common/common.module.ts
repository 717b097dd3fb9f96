import { Global, Module } from '@nestjs/common';
import { Clock, SystemClock } from './clock.js';
import { LogBrake } from './log-brake.js';
import { Stopping } from './stopping.js';
import { TrustedTime } from './trusted-time.js';

/** What every feature may use: time, whether there is any left, and the way into the log for strangers. */
@Global()
@Module({
  providers: [{ provide: Clock, useClass: SystemClock }, Stopping, LogBrake, TrustedTime],
  exports: [Clock, Stopping, LogBrake, TrustedTime],
})
export class CommonModule {}
