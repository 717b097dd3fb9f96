import { Module, type DynamicModule } from '@nestjs/common';
import { AuthorizerModule } from '../authorizer/authorizer.module.js';
import { TokenModule } from '../token/token.module.js';
import { AccountImportService } from './account-import.service.js';

/** Accounts of another system are moved in; the application's modules keep them. */
@Module({})
export class ImportModule {
  /** @param application all that the accounts need, without timers. */
  static beside(application: DynamicModule): DynamicModule {
    return {
      module: ImportModule,
      imports: [application, AuthorizerModule, TokenModule],
      providers: [AccountImportService],
    };
  }
}
