import { applyDecorators } from '@nestjs/common';
import { ApiParam } from '@nestjs/swagger';
import { ApiHubError } from '../http/api-docs.js';

/** Documents `:componentAppId` and what an unknown one is answered with. */
export function ApiComponentAppId(): MethodDecorator {
  return applyDecorators(
    ApiParam({
      name: 'componentAppId',
      description: 'AppID of the third-party platform',
      example: 'wx0123456789abcdef',
    }),
    ApiHubError(404, 'component_unknown', 'No such third-party platform is registered'),
  );
}
