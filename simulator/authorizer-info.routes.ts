import { readComponentBody, requireAuthorization, type ApiRoute } from './api-route.js';
import { funcInfoOf } from './authorization.routes.js';
import { WechatError } from './wechat-error.js';

/** Largest page of api_get_authorizer_list. */
const MAX_PAGE = 500;

/** What an account looks like and what it has granted. */
const apiGetAuthorizerInfo: ApiRoute = {
  path: '/cgi-bin/component/api_get_authorizer_info',
  handle(call, context) {
    const { component, body } = readComponentBody(call, context);
    const authorization = requireAuthorization(body, component.appid, context);
    if (!authorization.authorized) throw new WechatError(61003);
    const { account } = authorization;
    return {
      authorizer_info: account.authorizerInfo(),
      authorization_info: {
        authorizer_appid: account.appid,
        ...(account.apiRights && {
          authorizer_refresh_token: context.authorizers.refreshText(authorization),
        }),
        func_info: funcInfoOf(authorization),
      },
    };
  },
};

/** The authorized accounts, page by page in a stable order. */
const apiGetAuthorizerList: ApiRoute = {
  path: '/cgi-bin/component/api_get_authorizer_list',
  handle(call, context) {
    const { component, body } = readComponentBody(call, context);
    const offset = requireCount(body['offset'], 0);
    const count = requireCount(body['count'], 1);
    if (count > MAX_PAGE) throw new WechatError(40170);
    const { authorizers } = context;
    const listed = authorizers.listOf(component.appid);
    return {
      total_count: listed.length,
      list: listed.slice(offset, offset + count).map((authorization) => ({
        authorizer_appid: authorization.account.appid,
        refresh_token: authorization.account.apiRights
          ? authorizers.refreshText(authorization)
          : '',
        auth_time: authorization.authTime,
      })),
    };
  },
};

function requireCount(value: unknown, min: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min) return value;
  throw new WechatError(47001);
}

/** The APIs that tell of authorizers. */
export const authorizerInfoRoutes: ApiRoute[] = [apiGetAuthorizerInfo, apiGetAuthorizerList];
