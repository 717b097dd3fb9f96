import {
  readComponentBody,
  readJsonBody,
  requireField,
  requireToken,
  requireTokenOwner,
  type ApiRoute,
} from './api-route.js';
import { WechatError } from './wechat-error.js';

const DAILY_LIMIT = 5000;

/** What is left of a path's calls (getApiQuota page); any token will do. */
const getQuota: ApiRoute = {
  path: '/cgi-bin/openapi/quota/get',
  handle(call, context) {
    requireTokenOwner(call, context);
    const path = requireField(readJsonBody(call), 'cgi_path', 76021);
    if (!/^\/(?:cgi-bin|wxa|sns)\/[\w/-]+$/.test(path)) throw new WechatError(76021);
    return {
      errcode: 0,
      errmsg: 'ok',
      quota: { daily_limit: DAILY_LIMIT, used: 1, remain: DAILY_LIMIT - 1 },
    };
  },
};

/** Of an account, with its own token (clearQuota page). */
const clearQuota: ApiRoute = {
  path: '/cgi-bin/clear_quota',
  handle(call, { authorizers, quota, now }) {
    const { account } = authorizers.requireOwner(requireToken(call));
    if (requireField(readJsonBody(call), 'appid') !== account.appid) throw new WechatError(40013);
    quota.clear(account.appid, now());
    return { errcode: 0, errmsg: 'ok' };
  },
};

/** Of a platform, with the component's token. */
const clearComponentQuota: ApiRoute = {
  path: '/cgi-bin/component/clear_quota',
  handle(call, context) {
    const { component } = readComponentBody(call, context);
    context.quota.clear(component.appid, context.now());
    return { errcode: 0, errmsg: 'ok' };
  },
};

/** What is left of the calls of a day, and having them back. */
export const quotaRoutes: ApiRoute[] = [getQuota, clearQuota, clearComponentQuota];
