import { Module, type DynamicModule, type OnModuleDestroy } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { AuthModule } from './auth/auth.module.js';
import { AuthorizationModule } from './authorization/authorization.module.js';
import { AuthorizerModule } from './authorizer/authorizer.module.js';
import { BackupModule } from './backup/backup.module.js';
import { CallbackModule } from './callback/callback.module.js';
import { CommonModule } from './common/common.module.js';
import { Stopping } from './common/stopping.js';
import { ComponentModule } from './component/component.module.js';
import type { AppConfig } from './config/app-config.js';
import { ConfigModule } from './config/config.module.js';
import { DatabaseModule } from './database/database.module.js';
import { DeliveryModule } from './delivery/delivery.module.js';
import { GatewayModule } from './gateway/gateway.module.js';
import { HealthModule } from './health/health.module.js';
import { DoctorModule } from './doctor/doctor.module.js';
import { Surroundings } from './doctor/surroundings.js';
import { EventLogModule } from './event-log/event-log.module.js';
import { InstanceModule } from './instance/instance.module.js';
import { MessageModule } from './message/message.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { SecretsModule } from './secrets/secrets.module.js';
import { StatisticsModule } from './statistics/statistics.module.js';
import { TicketModule } from './ticket/ticket.module.js';
import { TokenModule } from './token/token.module.js';

/** The composition root. */
@Module({})
export class AppModule implements OnModuleDestroy {
  constructor(private readonly stopping: Stopping) {}

  /** @param options `timers: false` leaves the timers to the caller, for tests. */
  static register(config: AppConfig, { timers }: { timers: boolean }): DynamicModule {
    const foundation = [DatabaseModule.register(), SecretsModule.register()];
    return AppModule.of(config, timers, foundation, new Surroundings());
  }

  /**
   * The same without a change to database and keys, and where those cannot be had: for the doctor
   * beside a hub. Not to be initialized.
   * @param surroundings what is found on the way is put in.
   */
  static unchanged(config: AppConfig, surroundings: Surroundings): DynamicModule {
    const foundation = [
      DatabaseModule.unchanged(surroundings),
      SecretsModule.unchanged(surroundings),
    ];
    return AppModule.of(config, false, foundation, surroundings);
  }

  private static of(
    config: AppConfig,
    timers: boolean,
    foundation: DynamicModule[],
    surroundings: Surroundings,
  ): DynamicModule {
    return {
      module: AppModule,
      imports: [
        CommonModule,
        ConfigModule.register(config),
        ...foundation,
        AuthModule,
        BackupModule,
        ScheduleModule.forRoot({ cronJobs: timers, timeouts: timers, intervals: timers }),
        ComponentModule,
        CallbackModule,
        TicketModule,
        TokenModule,
        AuthorizerModule,
        AuthorizationModule,
        GatewayModule,
        DeliveryModule,
        MessageModule,
        EventLogModule,
        HealthModule,
        MetricsModule,
        StatisticsModule,
        InstanceModule,
        DoctorModule.register(surroundings),
      ],
    };
  }

  /** Waits that are not worth a stop end before the other modules finish what they have begun. */
  onModuleDestroy(): void {
    this.stopping.begin();
  }
}
