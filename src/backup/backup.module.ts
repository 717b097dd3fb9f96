import { Module } from '@nestjs/common';
import { RestoredService } from './restored.service.js';

/** What follows when the database is a copy that was restored. */
@Module({ providers: [RestoredService] })
export class BackupModule {}
