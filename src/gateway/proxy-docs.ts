import type { OpenAPIObject } from '@nestjs/swagger';
import { hubErrorResponse } from '../http/api-docs.js';
import { FORWARDED_METHODS } from './proxy.setup.js';

const ERRORS = Object.fromEntries(
  [
    [400, 'bad_wechat_path', 'Also bad_query, token_in_query, wrong_owner, component_ambiguous'],
    [401, 'unauthorized', 'The bearer token is missing or wrong. Also key_expired, key_revoked'],
    [403, 'missing_scope', 'The key lacks the scope proxy. Also not_allowed, kept_by_hub'],
    [404, 'authorizer_unknown', 'There is no such account. Also component_unknown'],
    [409, 'needs_reauthorization', 'The account has to authorize again'],
    [410, 'authorizer_revoked', 'The account has withdrawn its authorization'],
    [413, 'body_too_large', 'The body is longer than GATEWAY_BODY_LIMIT_MB'],
    [
      429,
      'wechat_quota_spent',
      'WeChat refuses the path for now. Also too_many_attempts, rate_limited',
    ],
    [502, 'wechat_unreachable', 'WeChat cannot be called. Also wechat_api_failed'],
    [503, 'too_many_calls', 'Also ticket_missing, refresh_in_progress, refresh_failed, stopping'],
    [504, 'wechat_timeout', 'WeChat did not answer in time; a POST may have had its effect'],
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
  ['components', 'componentAppId', 'the platform’s token'],
  ['authorizers', 'authorizerAppId', 'the account’s token'],
] as const;

/** The proxy in the API document: its routes are plain ones, which the framework does not see. */
export function documentProxy({ paths }: OpenAPIObject): void {
  for (const [kind, parameter, token] of OWNERS) {
    paths[`/proxy/${kind}/{${parameter}}/{path}`] = Object.fromEntries(
      FORWARDED_METHODS.map((method) => [
        method.toLowerCase(),
        operation(method, { kind, parameter, token }),
      ]),
    );
  }
}

function operation(
  method: string,
  { kind, parameter, token }: { kind: string; parameter: string; token: string },
): object {
  const pattern = '^[\\w-]+(/[\\w-]+)*$';
  const example = 'cgi-bin/message/custom/send';
  const inPath = { in: 'path', required: true };
  return {
    operationId: `Proxy_${kind}_${method}`,
    summary: `A call of WeChat with ${token}`,
    description:
      'Query, body and answer are WeChat’s. `path` is a path of api.weixin.qq.com with its slashes.',
    tags: ['proxy'],
    security: [{ bearer: [] }],
    'x-scope': 'proxy',
    parameters: [
      { name: parameter, ...inPath, schema: { type: 'string' } },
      { name: 'path', ...inPath, schema: { type: 'string', pattern }, example },
    ],
    ...(method === 'GET' ? {} : { requestBody: { content: { '*/*': {} } } }),
    responses: { '200': ANSWER, ...ERRORS },
  };
}
