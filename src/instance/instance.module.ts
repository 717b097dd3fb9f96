import { Module } from '@nestjs/common';
import { InstanceController } from './instance.controller.js';

/** What this hub is, and how it is set up. */
@Module({ controllers: [InstanceController] })
export class InstanceModule {}
