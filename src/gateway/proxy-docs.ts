import type { OpenAPIObject } from '@nestjs/swagger';
import { hubErrorResponse } from '../http/api-docs.js';
import { PLATFORM_HEADER } from '../auth/access.guard.js';
import { FORWARDED_METHODS } from './proxy.setup.js';

const ERRORS = Object.fromEntries(
  [
    [400, 'bad_wechat_path', 'Also bad_query, token_in_query, wrong_owner, component_ambiguous'],
    [403, 'kept_by_hub', 'The path gives out a credential: it is the hub’s to call'],
    [404, 'authorizer_unknown', 'There is no such account. Also component_unknown'],
    [409, 'needs_reauthorization', 'The account has to authorize again'],
    [410, 'authorizer_revoked', 'The account has withdrawn its authorization'],
    [413, 'body_too_large', 'The body is longer than GATEWAY_BODY_LIMIT_MB'],
    [415, 'unsupported_media_type', 'The Content-Type is malformed'],
    [429, 'wechat_quota_spent', 'WeChat refuses the path for now'],
    [502, 'wechat_unreachable', 'WeChat cannot be called. Also wechat_api_failed'],
    [503, 'too_many_calls', 'Also ticket_missing, refresh_in_progress, refresh_failed, stopping'],
    [504, 'wechat_timeout', 'WeChat did not answer in time; a POST may have had its effect'],
    [508, 'call_of_a_hub', 'WECHAT_API_BASE_URL leads to a hub'],
  ].map(([status, code, what]) => [status, hubErrorResponse(String(code), String(what))]),
);

const ANSWER = {
  description: 'WeChat’s answer, JSON or a file; other statuses of WeChat’s pass, too',
  content: {
    'application/json': {
      schema: { type: 'object', additionalProperties: true },
      example: { errcode: 0, errmsg: 'ok' },
    },
  },
};

const OWNERS = [
  { kind: 'components', parameter: 'componentAppId', owner: 'Platform' },
  { kind: 'authorizers', parameter: 'authorizerAppId', owner: 'Account' },
];

const PLATFORM_OF_ACCOUNT = {
  name: PLATFORM_HEADER,
  in: 'header',
  description: 'The platform, where the account is authorized to several',
  schema: { type: 'string' },
};

/** The proxy in the API document: its routes are plain ones, which the framework does not see. */
export function documentProxy({ paths }: OpenAPIObject): void {
  for (const { kind, parameter, owner } of OWNERS) {
    paths[`/proxy/${kind}/{${parameter}}/{path}`] = Object.fromEntries(
      FORWARDED_METHODS.map((method) => method.toLowerCase()).map((method) => [
        method,
        operation(method, { parameter, owner }),
      ]),
    );
  }
}

function operation(
  method: string,
  { parameter, owner }: { parameter: string; owner: string },
): object {
  const pattern = '^[\\w-]+(/[\\w-]+)*$';
  const example = 'cgi-bin/message/custom/send';
  const inPath = { in: 'path', required: true };
  return {
    operationId: `${method}As${owner}`,
    summary: `A call of WeChat with the ${owner.toLowerCase()}’s token`,
    description:
      'Query, body and answer are WeChat’s. `path` is a path of api.weixin.qq.com with its slashes.',
    tags: ['proxy'],
    security: [{ bearer: [] }],
    'x-scope': 'proxy',
    parameters: [
      { name: parameter, ...inPath, schema: { type: 'string' } },
      { name: 'path', ...inPath, schema: { type: 'string', pattern }, example },
      ...(owner === 'Account' ? [PLATFORM_OF_ACCOUNT] : []),
    ],
    ...(method === 'get' ? {} : { requestBody: { content: { '*/*': {} } } }),
    responses: { '200': ANSWER, ...ERRORS },
  };
}
