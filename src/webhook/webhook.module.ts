import { Module } from '@nestjs/common';
import { TargetClient } from './target.client.js';
import { TargetLookup } from './target-lookup.js';

/** Calls addresses that somebody has entered, and never one that is private. */
@Module({
  providers: [TargetLookup, TargetClient],
  exports: [TargetLookup, TargetClient],
})
export class WebhookModule {}
