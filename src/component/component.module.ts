import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ComponentController } from './component.controller.js';
import { ComponentRow } from './component.entity.js';
import { ComponentService } from './component.service.js';
import { ComponentStore } from './component.store.js';
import { CredentialUses } from './credential-uses.js';

/** The registered third-party platforms and their credentials. */
@Module({
  imports: [TypeOrmModule.forFeature([ComponentRow])],
  controllers: [ComponentController],
  providers: [ComponentService, ComponentStore, CredentialUses],
  exports: [ComponentService],
})
export class ComponentModule {}
