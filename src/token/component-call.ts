import { Injectable } from '@nestjs/common';
import type { Secret } from '../common/secret.js';
import { TokenService } from './token.service.js';
import { withFreshToken } from '../token-engine/with-fresh-token.js';

/** Makes calls with the component_access_token of a third-party platform. */
@Injectable()
export class ComponentCall {
  constructor(private readonly tokens: TokenService) {}

  /** See {@link withFreshToken}. @throws {HubError} */
  run<T>(componentAppId: string, call: (token: Secret) => Promise<T>): Promise<T> {
    return withFreshToken(this.tokens.supply(componentAppId), call);
  }
}
