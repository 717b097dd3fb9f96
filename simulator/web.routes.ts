import {
  requireComponentToken,
  requireToken,
  type ApiCall,
  type ApiRoute,
  type SimulatorContext,
} from './api-route.js';
import { WechatError } from './wechat-error.js';

const TICKET_TYPES = ['jsapi', 'wx_card'];

function queryOf({ search }: ApiCall): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(search));
}

/** An account's page by its platform: 40013 and 61003 for an account of another, 40002 for the grant. */
function requireGrant(
  call: ApiCall,
  context: SimulatorContext,
  grant: string,
): Record<string, string> {
  const component = requireComponentToken(call, context);
  const query = queryOf(call);
  const { appid = '', component_appid, grant_type } = query;
  if (component_appid !== component.appid) throw new WechatError(40013);
  if (!context.authorizers.accounts.has(appid)) throw new WechatError(40013);
  if (!context.authorizers.find(component.appid, appid)?.authorized) throw new WechatError(61003);
  if (grant_type !== grant) throw new WechatError(40002);
  return query;
}

const getTicket: ApiRoute = {
  path: '/cgi-bin/ticket/getticket',
  handle(call, { authorizers, web }) {
    const { account } = authorizers.requireOwner(requireToken(call));
    const { type = '' } = queryOf(call);
    if (!TICKET_TYPES.includes(type)) throw new WechatError(40097);
    const { value, expiresIn } = web.issueTicket(account.appid, type);
    return { errcode: 0, errmsg: 'ok', ticket: value, expires_in: expiresIn };
  },
};

const sessionOfCode: ApiRoute = {
  path: '/sns/component/jscode2session',
  handle(call, context) {
    const { appid = '', js_code = '' } = requireGrant(call, context, 'authorization_code');
    const { openid } = context.web.useCode(js_code, appid);
    return { session_key: Buffer.from(openid).toString('base64'), openid };
  },
};

const tokensOfCode: ApiRoute = {
  path: '/sns/oauth2/component/access_token',
  handle(call, context) {
    const { appid = '', code = '' } = requireGrant(call, context, 'authorization_code');
    return context.web.issueTokens(context.web.useCode(code, appid));
  },
};

const refreshedTokens: ApiRoute = {
  path: '/sns/oauth2/component/refresh_token',
  handle(call, context) {
    const { appid = '', refresh_token = '' } = requireGrant(call, context, 'refresh_token');
    return context.web.refresh(refresh_token, appid);
  },
};

const userInfo: ApiRoute = {
  path: '/sns/userinfo',
  handle(call, { web }) {
    const { openid = '' } = queryOf(call);
    web.requireUser(requireToken(call), openid);
    return { openid, nickname: 'Fake User', privilege: [] };
  },
};

const auth: ApiRoute = {
  path: '/sns/auth',
  handle(call, { web }) {
    web.requireUser(requireToken(call), queryOf(call).openid ?? '');
    return { errcode: 0, errmsg: 'ok' };
  },
};

/** What pages of accounts and mini programs need. */
export const webRoutes: ApiRoute[] = [
  getTicket,
  sessionOfCode,
  tokensOfCode,
  refreshedTokens,
  userInfo,
  auth,
];
