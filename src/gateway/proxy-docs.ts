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

/** The proxy in the API document: its routes are plain ones, which the framework does not see. */
export function documentProxy({ paths }: OpenAPIObject): void {
  const owners = [
    ['components', 'componentAppId', 'the platform’s token'],
    ['authorizers', 'authorizerAppId', 'the account’s token'],
  ] as const;
  for (const [kind, parameter, token] of owners) {
    const operation = (method: string): object => ({
      operationId: `Proxy_${kind}_${method}`,
      summary: `A call of WeChat with ${token}`,
      description:
        'Query, body and answer are WeChat’s. `path` is a path of api.weixin.qq.com with its slashes.',
      tags: ['proxy'],
      security: [{ bearer: [] }],
      'x-scope': 'proxy',
      parameters: [
        { name: parameter, in: 'path', required: true, schema: { type: 'string' } },
        {
          name: 'path',
          in: 'path',
          required: true,
          schema: { type: 'string', pattern: '^[\\w-]+(/[\\w-]+)*$' },
          example: 'cgi-bin/message/custom/send',
        },
      ],
      ...(method === 'GET' ? {} : { requestBody: { content: { '*/*': {} } } }),
      responses: {
        '200': {
          description: 'WeChat’s answer, JSON or a file; other statuses of WeChat’s pass, too',
          content: {
            'application/json': {
              schema: { type: 'object', additionalProperties: true },
              example: { errcode: 0, errmsg: 'ok' },
            },
          },
        },
        ...ERRORS,
      },
    });
    paths[`/proxy/${kind}/{${parameter}}/{path}`] = Object.fromEntries(
      FORWARDED_METHODS.map((method) => [method.toLowerCase(), operation(method)]),
    );
  }
}
