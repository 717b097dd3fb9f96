import { applyDecorators } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse } from '@nestjs/swagger';
import { ApiHubError } from '../http/api-docs.js';
import { ApiComponentAppId } from '../component/component-app-id.js';

/** Documents the GET by which WeChat's console checks a URL. */
export function ApiUrlCheck(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      summary: 'Answer the URL check: echostr as it came',
      description: 'Query: signature, timestamp, nonce, echostr.',
    }),
    ApiProduces('text/plain'),
    ApiResponse({
      status: 200,
      description: 'The echostr',
      schema: { type: 'string', example: '5927782489442352469' },
    }),
    ApiComponentAppId(),
    ApiHubError(400, 'parameter_missing', 'A query parameter is missing; also parameter_invalid'),
    ApiHubError(403, 'signature_invalid', 'The signature does not match'),
  );
}
