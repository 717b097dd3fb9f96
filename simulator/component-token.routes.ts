import { readJsonBody, requireComponent, requireField, type ApiRoute } from './api-route.js';
import { WechatError } from './wechat-error.js';

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

/** The APIs around the component_access_token. */
export const componentTokenRoutes: ApiRoute[] = [apiComponentToken];
