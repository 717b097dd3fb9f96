import { Module, type DynamicModule } from '@nestjs/common';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { CallbackModule } from '../callback/callback.module.js';
import { ComponentModule } from '../component/component.module.js';
import { ReleaseCheckModule } from '../release-check/release-check.module.js';
import { StatisticsModule } from '../statistics/statistics.module.js';
import { SubscriptionModule } from '../subscription/subscription.module.js';
import { TicketModule } from '../ticket/ticket.module.js';
import { TokenModule } from '../token/token.module.js';
import { WechatApiModule } from '../wechat-api/wechat-api.module.js';
import { DatabaseChecks } from './database-checks.js';
import { DoctorController } from './doctor.controller.js';
import { DoctorService } from './doctor.service.js';
import { HostChecks } from './host-checks.js';
import { OutsideChecks } from './outside-checks.js';
import { PlatformChecks } from './platform-checks.js';
import { Surroundings } from './surroundings.js';
import { TrafficChecks } from './traffic-checks.js';
import { WechatChecks } from './wechat-checks.js';

/** Everything that can be checked, for people. */
@Module({
  imports: [
    AuthorizerModule,
    CallbackModule,
    ComponentModule,
    ReleaseCheckModule,
    StatisticsModule,
    SubscriptionModule,
    TicketModule,
    TokenModule,
    WechatApiModule,
  ],
  controllers: [DoctorController],
  providers: [
    DatabaseChecks,
    DoctorService,
    HostChecks,
    OutsideChecks,
    PlatformChecks,
    TrafficChecks,
    WechatChecks,
  ],
})
export class DoctorModule {
  static register(surroundings: Surroundings): DynamicModule {
    return {
      module: DoctorModule,
      providers: [{ provide: Surroundings, useValue: surroundings }],
    };
  }
}
