import { Global, Module } from '@nestjs/common';
import { Clock, SystemClock } from './clock.js';
import { Stopping } from './stopping.js';
import { TrustedTime } from './trusted-time.js';

/** What every feature may use: time, and whether there is any left. */
@Global()
@Module({
  providers: [{ provide: Clock, useClass: SystemClock }, Stopping, TrustedTime],
  exports: [Clock, Stopping, TrustedTime],
})
export class CommonModule {}
