import {
  readComponentBody,
  requireAuthorization,
  requireField,
  type ApiRoute,
  type SimulatorContext,
} from './api-route.js';
import type { Authorization } from './authorization.js';
import { WechatError } from './wechat-error.js';

/** Largest page of api_get_authorizer_list. */
const MAX_PAGE = 500;

/** A code that opens the authorization page once. */
const apiCreatePreauthcode: ApiRoute = {
  path: '/cgi-bin/component/api_create_preauthcode',
  handle(call, context) {
    const { component } = readComponentBody(call, context);
    const { preAuthCodes, settings } = context.authorizers;
    const life = settings.preAuthCodeLifeSeconds;
    return {
      pre_auth_code: preAuthCodes.issue(component.appid, context.now() + life * 1000),
      expires_in: life,
    };
  },
};

/** Exchanges an authorization code; without API rights the answer carries no tokens. */
const apiQueryAuth: ApiRoute = {
  path: '/cgi-bin/component/api_query_auth',
  handle(call, context) {
    const { component, body } = readComponentBody(call, context);
    const code = requireField(body, 'authorization_code');
    const authorization = exchange(code, component.appid, context);
    const { authorizers } = context;
    const tokens = authorization.account.apiRights && {
      authorizer_access_token: authorizers.issueAccess(authorization),
      expires_in: authorizers.settings.authorizerTokenLifeSeconds,
      authorizer_refresh_token: authorizers.refreshText(authorization),
    };
    return {
      authorization_info: {
        authorizer_appid: authorization.account.appid,
        ...tokens,
        func_info: funcInfoOf(authorization),
      },
    };
  },
};

/** Uses a code: 61009 for a wrong one, 61010 for one that is too old. */
function exchange(code: string, componentAppid: string, context: SimulatorContext): Authorization {
  const { authorizers } = context;
  const found = authorizers.codes.look(code, context.now(), authorizers.settings.codeMaxUses);
  if (found.state !== 'valid') throw new WechatError(found.state === 'expired' ? 61010 : 61009);
  const { authorization, refreshGeneration } = found.value;
  const right =
    authorization.componentAppid === componentAppid &&
    authorization.authorized &&
    authorization.refreshGeneration === refreshGeneration;
  if (!right) throw new WechatError(61009);
  authorizers.codes.use(code);
  authorizers.markExchanged(authorization);
  return authorization;
}

/** Refresh token into access token; the refresh token is answered as the settings say. */
const apiAuthorizerToken: ApiRoute = {
  path: '/cgi-bin/component/api_authorizer_token',
  handle(call, context) {
    const { component, body } = readComponentBody(call, context);
    const authorization = requireAuthorization(body, component.appid, context);
    const { authorizers } = context;
    if (!authorizers.acceptsRefresh(authorization, body['authorizer_refresh_token'])) {
      throw new WechatError(61023);
    }
    const { refreshTokenAnswer, authorizerTokenLifeSeconds } = authorizers.settings;
    if (refreshTokenAnswer === 'rotate') authorization.rotateRefresh(context.now());
    return {
      authorizer_access_token: authorizers.issueAccess(authorization),
      expires_in: authorizerTokenLifeSeconds,
      ...(refreshTokenAnswer !== 'omit' && {
        authorizer_refresh_token: authorizers.refreshText(authorization),
      }),
    };
  },
};

/** The granted permission sets as answers carry them. */
function funcInfoOf(authorization: Authorization): object[] {
  return authorization.funcInfo.map((id) => ({ funcscope_category: { id } }));
}

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

/** The APIs from the pre_auth_code to the authorizer_access_token, and what they tell of accounts. */
export const authorizerRoutes: ApiRoute[] = [
  apiCreatePreauthcode,
  apiQueryAuth,
  apiAuthorizerToken,
  apiGetAuthorizerInfo,
  apiGetAuthorizerList,
];
