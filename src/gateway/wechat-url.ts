import { HubError } from '../common/hub-error.js';

/** What a call asks of WeChat, as it goes out but for the token. */
export interface WechatUrl {
  /** Without a slash in front. */
  path: string;
  /** As the caller wrote it, without its question mark. */
  query: string;
}

/** Names under which WeChat's paths want a token. */
export const TOKEN_PARAMETERS = ['access_token', 'component_access_token'] as const;
export type TokenParameter = (typeof TOKEN_PARAMETERS)[number];

/** WeChat's paths are of nothing else; so no dot, host, escape or empty segment ever goes out. */
const PATH = /^[\w-]+(?:\/[\w-]+)*$/;
const MAX_PATH = 256;
/** Printable, and no fragment. */
const QUERY = /^[\x21\x22\x24-\x7e]*$/;
/** Paths of the platform itself, which want its token by the longer name. */
const OF_COMPONENT = /^(?:cgi-bin\/component|sns\/component|sns\/oauth2\/component)\//i;

/**
 * Takes apart what stands behind the gateway's own prefix.
 * @throws {HubError} 400 `bad_wechat_path`, `bad_query`
 */
export function readWechatUrl(text: string): WechatUrl {
  const mark = text.indexOf('?');
  const path = mark < 0 ? text : text.slice(0, mark);
  const query = mark < 0 ? '' : text.slice(mark + 1);
  if (!PATH.test(path) || path.length > MAX_PATH) {
    throw new HubError(
      'bad_wechat_path',
      'The path behind the gateway must be one of WeChat’s: letters, digits, "_", "-" and single slashes',
      { status: 400 },
    );
  }
  if (!QUERY.test(query)) throw badQuery('The query must be printable ASCII without "#"');
  return { path, query };
}

/** Whether the path is one of the platform itself, and not of an account. */
export function isOfComponent(path: string): boolean {
  return OF_COMPONENT.test(path);
}

/** The name under which a path wants its token. */
export function tokenParameter(path: string): TokenParameter {
  return isOfComponent(path) ? 'component_access_token' : 'access_token';
}

/**
 * Names and values of a query, decoded as forms are.
 * @throws {HubError} 400 `bad_query` for what cannot be decoded.
 */
export function queryEntries(query: string): [name: string, value: string][] {
  if (query === '') return [];
  return query.split('&').map((part) => {
    const at = part.indexOf('=');
    const [name, value] = at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
    return [decoded(name), decoded(value)];
  });
}

/** Whether a name is that of a token, in any case and with what some parsers take off. */
export function isTokenName(name: string): boolean {
  const plain = name
    .replaceAll(/[\0-\x20]+/g, '')
    .replace(/\[.*$/s, '')
    .toLowerCase();
  return TOKEN_PARAMETERS.some((parameter) => parameter === plain);
}

/** Names of secrets: they never go out. */
const SECRETS = ['secret', 'appsecret', 'component_appsecret', 'component_secret'];

/** The query of a call that comes with a token. */
export interface TokenQuery {
  token: { parameter: TokenParameter; value: string } | undefined;
  /** All else but secrets, as the caller wrote it. */
  rest: string;
  /** Names and values, decoded; of a name that comes twice the first. */
  fields: Record<string, string>;
}

/** Takes the token out of a query. @throws {HubError} 400 `bad_query` where there are two */
export function readTokenQuery(query: string): TokenQuery {
  const entries = queryEntries(query);
  const isToken = entries.map(([name]) => isTokenName(name));
  const tokens = entries.filter((_, at) => isToken[at]);
  if (tokens.length > 1) throw badQuery('The query has two tokens');
  const [[name, value] = []] = tokens;
  const parameter = TOKEN_PARAMETERS.find((one) => one === name);
  if (name !== undefined && !parameter) throw badQuery('The token has an odd name');
  const rest = query
    .split('&')
    .filter((_, at) => !isToken[at] && !SECRETS.includes(entries[at]?.[0].toLowerCase() ?? ''));
  return {
    token: parameter && { parameter, value: value ?? '' },
    rest: rest.join('&'),
    fields: Object.fromEntries(entries.toReversed()),
  };
}

/** @throws {HubError} 400 `token_in_query`: the hub puts the token in. */
export function refuseTokens(query: string): void {
  // Some parsers take a semicolon for an ampersand.
  if (queryEntries(query.replaceAll(';', '&')).some(([name]) => isTokenName(name))) {
    throw new HubError('token_in_query', 'Leave the token out of the query: the hub puts it in', {
      status: 400,
    });
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw badQuery('The query has a "%" that escapes nothing');
  }
}

function badQuery(message: string): HubError {
  return new HubError('bad_query', message, { status: 400 });
}

/** Calls whose answers hold credentials, or that end them: what to use instead. */
const KEPT = new Map<string, string>(
  Object.entries({
    'cgi-bin/token': 'GET /api/authorizers/:authorizerAppId/access-token',
    'cgi-bin/stable_token': 'GET /api/authorizers/:authorizerAppId/access-token',
    'cgi-bin/component/api_component_token': 'GET /api/components/:componentAppId/access-token',
    'cgi-bin/component/api_authorizer_token': 'GET /api/authorizers/:authorizerAppId/access-token',
    'cgi-bin/component/api_query_auth': 'the event of the authorization, which the hub exchanges',
    'cgi-bin/component/api_get_authorizer_info': 'GET /admin/authorizers/:authorizerAppId',
    'cgi-bin/component/api_get_authorizer_list': 'GET /admin/authorizers',
    'cgi-bin/component/api_start_push_ticket': 'POST /admin/tickets/:componentAppId/start-push',
    'cgi-bin/clear_quota': 'POST /admin/authorizers/:componentAppId/:authorizerAppId/clear-quota',
    'cgi-bin/clear_quota/v2':
      'POST /admin/authorizers/:componentAppId/:authorizerAppId/clear-quota',
    'cgi-bin/component/clear_quota': 'POST /admin/components/:componentAppId/clear-quota',
  }),
);

/** @throws {HubError} 403 `kept_by_hub` for calls that would hand out credentials or end them. */
export function refuseKept({ path }: WechatUrl): void {
  const instead = KEPT.get(path.toLowerCase());
  if (instead === undefined) return;
  throw new HubError('kept_by_hub', `The hub makes this call itself; use ${instead}`, {
    status: 403,
  });
}
