import {
  readJsonBody,
  requireComponent,
  requireField,
  requireTokenOwner,
  type ApiRoute,
} from './api-route.js';
import { WechatError } from './wechat-error.js';

/** Documentation addresses (RFC 5737), so nobody mistakes them for WeChat's. */
const API_ADDRESSES = ['203.0.113.10', '203.0.113.11', '198.51.100.20'];

/** Ticket into token (api_getcomponentaccesstoken page): any ticket of the last 12 h will do. */
const apiComponentToken: ApiRoute = {
  path: '/cgi-bin/component/api_component_token',
  handle(call, context) {
    const body = readJsonBody(call);
    const component = requireComponent(body, 'component_appsecret', context);
    const ticket = requireField(body, 'component_verify_ticket');
    const state = component.tickets.check(ticket, context.now());
    if (state === 'unknown') throw new WechatError(61006);
    if (state === 'expired') throw new WechatError(61005);
    component.tokensIssued += 1;
    return {
      component_access_token: context.tokens.issue(component.appid, component.tokenLifeSeconds),
      expires_in: component.tokenLifeSeconds,
    };
  },
};

/**
 * Starts pushing, or probes it (api_startpushticket page). The body's secret is called
 * `component_secret` here. One ticket is pushed at once in either case.
 */
const apiStartPushTicket: ApiRoute = {
  path: '/cgi-bin/component/api_start_push_ticket',
  handle(call, context) {
    const component = requireComponent(readJsonBody(call), 'component_secret', context);
    const wasRunning = context.pusher.isRunning(component.appid);
    if (!wasRunning) context.pusher.start(component);
    context.pusher.pushIfTargeted(component);
    return { errcode: 0, errmsg: wasRunning ? 'in a normal state' : 'ok' };
  },
};

/** Needs nothing but a working token, which makes it the cheapest proof that one works. */
const getApiDomainIp: ApiRoute = {
  path: '/cgi-bin/get_api_domain_ip',
  handle(call, context) {
    requireTokenOwner(call, context);
    return { ip_list: API_ADDRESSES };
  },
};

/** The APIs of a component by itself. */
export const componentRoutes: ApiRoute[] = [apiComponentToken, apiStartPushTicket, getApiDomainIp];
