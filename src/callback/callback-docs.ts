import { applyDecorators } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse } from '@nestjs/swagger';
import { ApiComponentAppId } from '../component/component-app-id.js';
import { ApiHubError } from '../http/api-docs.js';

/** Documents what pushes to either URL are refused for. */
export function ApiPushRefusals(): MethodDecorator {
  return applyDecorators(
    ApiHubError(
      400,
      'push_undecryptable',
      'No key of the platform opens it. Also xml_invalid and field_missing, where the body is not ' +
        'a push; errcode has the -400xx code',
    ),
    ApiHubError(
      403,
      'signature_invalid',
      'Also timestamp_out_of_window, appid_mismatch and component_disabled',
    ),
    ApiHubError(413, 'body_too_large', 'The body is over 1 MiB'),
    ApiHubError(417, 'expectation_failed', 'The hub knows `Expect: 100-continue` only'),
    ApiHubError(503, 'database_unavailable', 'Not stored; WeChat pushes again. Also too_slow'),
  );
}

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
