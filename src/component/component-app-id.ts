import { applyDecorators } from '@nestjs/common';
import { ApiParam } from '@nestjs/swagger';
import { z } from 'zod';
import { ApiHubError } from '../http/api-docs.js';

/** The path parameter `:componentAppId`. */
export const componentAppIdParam = z.string().min(1).max(64);

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
