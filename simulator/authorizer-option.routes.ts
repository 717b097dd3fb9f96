import {
  readComponentBody,
  readJsonBody,
  requireAuthorization,
  requireField,
  requireToken,
  type ApiCall,
  type ApiRoute,
  type SimulatorContext,
} from './api-route.js';
import type { Authorization } from './authorization.js';
import { OPTION_VALUES, type OptionName } from './fake-account.js';
import { WechatError } from './wechat-error.js';

/** One request for an option. */
interface OptionRequest {
  authorization: Authorization;
  name: OptionName;
  body: Record<string, unknown>;
}

/**
 * Documents disagree about the token: the newer form has the authorizer's and names no account, the
 * older one the component's with `component_appid` and `authorizer_appid`. Both work here.
 */
function readRequest(call: ApiCall, context: SimulatorContext): OptionRequest {
  const { authorization, body } = readAuthorizer(call, context);
  if (!authorization.authorized) throw new WechatError(61003);
  const name = requireField(body, 'option_name');
  if (!Object.hasOwn(OPTION_VALUES, name)) throw new WechatError(61012);
  return { authorization, name: name as OptionName, body };
}

function readAuthorizer(
  call: ApiCall,
  context: SimulatorContext,
): Pick<OptionRequest, 'authorization' | 'body'> {
  const token = requireToken(call);
  if (context.authorizers.ownerOf(token)) {
    const authorization = context.authorizers.requireOwner(token);
    return { authorization, body: readJsonBody(call) };
  }
  const { component, body } = readComponentBody(call, context);
  return { authorization: requireAuthorization(body, component.appid, context), body };
}

function getOption(call: ApiCall, context: SimulatorContext): object {
  const { authorization, name } = readRequest(call, context);
  const { account } = authorization;
  return {
    authorizer_appid: account.appid,
    option_name: name,
    option_value: account.option(name),
  };
}

function setOption(call: ApiCall, context: SimulatorContext): object {
  const { authorization, name, body } = readRequest(call, context);
  const value = body['option_value'];
  // Both "1" and 1 are seen in client code.
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || !OPTION_VALUES[name].includes(text)) throw new WechatError(61013);
  authorization.account.setOption(name, text);
  return { errcode: 0, errmsg: 'ok' };
}

/** The options of an account, at the newer paths and at the older ones with `api_`. */
export const authorizerOptionRoutes: ApiRoute[] = [
  { path: '/cgi-bin/component/get_authorizer_option', handle: getOption },
  { path: '/cgi-bin/component/api_get_authorizer_option', handle: getOption },
  { path: '/cgi-bin/component/set_authorizer_option', handle: setOption },
  { path: '/cgi-bin/component/api_set_authorizer_option', handle: setOption },
];
