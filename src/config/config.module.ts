import {
  Global,
  Inject,
  Logger,
  Module,
  type DynamicModule,
  type OnModuleInit,
} from '@nestjs/common';
import { APP_CONFIG, type AppConfig } from './app-config.js';

/** Gives every feature the one frozen {@link AppConfig}, and says what is doubtful about it. */
@Global()
@Module({})
export class ConfigModule implements OnModuleInit {
  constructor(@Inject(APP_CONFIG) private readonly config: AppConfig) {}

  static register(config: AppConfig): DynamicModule {
    return {
      module: ConfigModule,
      providers: [{ provide: APP_CONFIG, useValue: config }],
      exports: [APP_CONFIG],
    };
  }

  onModuleInit(): void {
    for (const warning of this.config.warnings) new Logger('Config').warn(warning);
  }
}
