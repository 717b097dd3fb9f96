import { Module } from '@nestjs/common';
import { HostRecorder } from './host.recorder.js';
import { InstanceController } from './instance.controller.js';

/** What this hub is, and how it is set up. */
@Module({ controllers: [InstanceController], providers: [HostRecorder] })
export class InstanceModule {}
