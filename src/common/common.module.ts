import { Global, Module } from '@nestjs/common';
import { Background } from './background.js';
import { Clock, SystemClock } from './clock.js';
import { LogBrake } from './log-brake.js';
import { Stopping } from './stopping.js';
import { TrustedTime } from './trusted-time.js';

/** What every feature may use: time, the work of timers, the stop, and the way into the log for strangers. */
@Global()
@Module({
  providers: [
    { provide: Clock, useClass: SystemClock },
    Stopping,
    Background,
    LogBrake,
    TrustedTime,
  ],
  exports: [Clock, Stopping, Background, LogBrake, TrustedTime],
})
export class CommonModule {}
