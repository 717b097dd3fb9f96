import type { OpenAPIObject } from '@nestjs/swagger';
import { FORWARDED_METHODS } from './proxy.setup.js';
import { ERRCODE_MEANINGS, type WxErrcode } from './wx-errors.js';

/** What each refusal of a secret, and of a stand-in, may be. */
const OF_SECRET: WxErrcode[] = [-1, 40013, 40125, 40164, 41004, 45011, 47001, 48001];
const OF_STAND_IN: WxErrcode[] = [
  -1, 40001, 40013, 40164, 41001, 42001, 45011, 47001, 48001, 61003,
];
const OF_ACCOUNT: WxErrcode[] = [50002, 61003, 61023];

type Schema = Record<string, unknown>;

/** Fields of queries, bodies and answers, which mean the same wherever they are. */
const FIELDS: Record<string, Schema> = {
  appid: { type: 'string', description: 'AppID of the account' },
  authorizer_appid: { type: 'string', description: 'AppID of the account' },
  component_appid: { type: 'string', description: 'AppID of the platform' },
  secret: { type: 'string', description: 'An API key' },
  component_appsecret: { type: 'string', description: 'An API key' },
  component_secret: { type: 'string', description: 'An API key' },
  component_verify_ticket: { type: 'string', description: 'Any text' },
  authorizer_refresh_token: { type: 'string', description: 'Any text, of a request' },
  access_token: { type: 'string', description: 'A stand-in' },
  component_access_token: { type: 'string', description: 'A stand-in' },
  authorizer_access_token: { type: 'string', description: 'A stand-in' },
  refresh_token: { type: 'string', description: 'A stand-in' },
  expires_in: { type: 'integer', description: 'Seconds left' },
  errcode: { type: 'integer' },
  force_refresh: { type: 'boolean', description: 'Refreshes nothing at WeChat' },
  type: { type: 'string', enum: ['jsapi', 'wx_card'] },
  offset: { type: 'integer' },
  count: { type: 'integer', maximum: 500 },
  total_count: { type: 'integer' },
  list: { type: 'array', items: { type: 'object', additionalProperties: true } },
  authorization_info: { type: 'object', additionalProperties: true },
  authorizer_info: { type: 'object', additionalProperties: true },
};

/** Where a caller shows who it is; `other`: in a field of the body, or nowhere. */
const SECURITY = {
  secret: [{ wxSecret: [] }],
  token: [{ wxToken: [] }],
  platform: [{ wxComponentToken: [] }],
  other: [],
};

/** A call that the hub answers, or makes by another name. */
interface WxRoute {
  path: string;
  summary: string;
  by: keyof typeof SECURITY;
  /** Names of the fields of a GET's query, or of a POST's body; `?`: may be left out. */
  query?: string;
  body?: string;
  answer?: string;
  errcodes: WxErrcode[];
}

const USER_TOKENS = 'access_token expires_in refresh_token openid scope';
const ACCOUNT_TOKENS = 'authorizer_access_token expires_in authorizer_refresh_token';
const COMPONENT = 'cgi-bin/component';

const ROUTES: WxRoute[] = [
  {
    path: 'cgi-bin/token',
    summary: 'A stand-in for the account’s token',
    by: 'secret',
    query: 'grant_type appid',
    answer: 'access_token expires_in',
    errcodes: [...OF_SECRET, ...OF_ACCOUNT],
  },
  {
    path: 'cgi-bin/stable_token',
    summary: 'The same for newer SDKs',
    by: 'other',
    body: 'grant_type appid secret force_refresh?',
    answer: 'access_token expires_in',
    errcodes: [...OF_SECRET, ...OF_ACCOUNT],
  },
  {
    path: 'cgi-bin/ticket/getticket',
    summary: 'The one ticket for pages of the account',
    by: 'token',
    query: 'type',
    answer: 'errcode errmsg ticket expires_in',
    errcodes: [...OF_STAND_IN, 40097, ...OF_ACCOUNT],
  },
  {
    path: 'sns/jscode2session',
    summary: 'The session of a mini program’s user; asked of WeChat by its component form',
    by: 'secret',
    query: 'grant_type appid js_code',
    answer: 'openid session_key unionid?',
    errcodes: OF_SECRET,
  },
  {
    path: 'sns/component/jscode2session',
    summary: 'The same for a platform’s SDK',
    by: 'platform',
    query: 'grant_type appid js_code component_appid?',
    answer: 'openid session_key unionid?',
    // Without a token it is read as the form of an account.
    errcodes: [...OF_SECRET, ...OF_STAND_IN, 61014],
  },
  {
    path: 'sns/oauth2/access_token',
    summary: 'A user’s tokens as stand-ins; asked of WeChat by its component form',
    by: 'secret',
    query: 'grant_type appid code',
    answer: USER_TOKENS,
    errcodes: OF_SECRET,
  },
  {
    path: 'sns/oauth2/component/access_token',
    summary: 'The same for a platform’s SDK',
    by: 'platform',
    query: 'grant_type appid code component_appid?',
    answer: USER_TOKENS,
    // Without a token it is read as the form of an account.
    errcodes: [...OF_SECRET, ...OF_STAND_IN, 61014],
  },
  {
    path: 'sns/oauth2/refresh_token',
    summary: 'Other stand-ins for a user’s tokens; the refresh token says who asks',
    by: 'other',
    query: 'grant_type? appid? refresh_token',
    answer: USER_TOKENS,
    errcodes: [...OF_STAND_IN, 40030],
  },
  {
    path: 'sns/oauth2/component/refresh_token',
    summary: 'The same for a platform’s SDK',
    by: 'other',
    query: 'grant_type? appid? refresh_token component_appid?',
    answer: USER_TOKENS,
    errcodes: [...OF_STAND_IN, 40030],
  },
  {
    path: 'connect/oauth2/authorize',
    summary: 'Leads a browser to WeChat’s page, with the platform named',
    by: 'other',
    query: 'appid redirect_uri? response_type? scope? state?',
    errcodes: [40013, 47001],
  },
  {
    path: `${COMPONENT}/api_component_token`,
    summary: 'A stand-in for the platform’s token',
    by: 'other',
    body: 'component_appid component_appsecret component_verify_ticket?',
    answer: 'component_access_token expires_in',
    errcodes: OF_SECRET,
  },
  {
    path: `${COMPONENT}/api_start_push_ticket`,
    summary: 'Has WeChat push tickets again',
    by: 'other',
    body: 'component_appid component_secret',
    answer: 'errcode errmsg',
    errcodes: OF_SECRET,
  },
  {
    path: `${COMPONENT}/api_query_auth`,
    summary: 'What a code was exchanged for, also by the hub within the last hour',
    by: 'platform',
    body: 'component_appid? authorization_code',
    answer: 'authorization_info',
    errcodes: [...OF_STAND_IN, 61010, 61014],
  },
  {
    path: `${COMPONENT}/api_authorizer_token`,
    summary: 'A stand-in for an account’s token',
    by: 'platform',
    body: 'component_appid? authorizer_appid authorizer_refresh_token?',
    answer: ACCOUNT_TOKENS,
    errcodes: [...OF_STAND_IN, 61014, ...OF_ACCOUNT],
  },
  {
    path: `${COMPONENT}/api_get_authorizer_info`,
    summary: 'WeChat’s information on an account, its tokens as stand-ins',
    by: 'platform',
    body: 'component_appid? authorizer_appid',
    answer: 'authorizer_info authorization_info',
    errcodes: [...OF_STAND_IN, 61014],
  },
  {
    path: `${COMPONENT}/api_get_authorizer_list`,
    summary: 'The accounts of the platform, or of them those of a limited key',
    by: 'platform',
    body: 'component_appid? offset? count?',
    answer: 'total_count list',
    errcodes: [...OF_STAND_IN, 61014],
  },
];

const inQuery = (name: string, description: string) =>
  ({ type: 'apiKey', in: 'query', name, description }) as const;

/** The drop-in address in the API document: its one route is a plain one, which the framework does not see. */
export function documentWx({ paths, components = {} }: OpenAPIObject): void {
  components.securitySchemes = {
    ...components.securitySchemes,
    wxSecret: inQuery('secret', 'At /wx: an API key with the scope proxy, as an SDK’s secret'),
    wxToken: inQuery('access_token', 'At /wx: a stand-in of an account, or a user'),
    wxComponentToken: inQuery('component_access_token', 'At /wx: a stand-in of a platform'),
  };
  components.schemas = {
    ...components.schemas,
    WechatError: {
      type: 'object',
      required: ['errcode', 'errmsg'],
      properties: {
        errcode: { type: 'integer', description: meaningOf(ERRCODE_MEANINGS.keys()) },
        errmsg: {
          type: 'string',
          description: 'For people; it ends in `rid: ` and the request id',
        },
      },
      example: { errcode: 40125, errmsg: 'invalid appsecret: it must be an API key rid: 0199a3f0' },
    },
  };
  for (const route of ROUTES) {
    const method = route.body ? 'post' : 'get';
    paths[`/wx/${route.path}`] = { [method]: operation(route) };
  }
  paths['/wx/{path}'] = Object.fromEntries(
    FORWARDED_METHODS.map((method) => method.toLowerCase()).map((method) => [
      method,
      anyOther(method),
    ]),
  );
}

function operation({ path, summary, by, query = '', body, answer, errcodes }: WxRoute): object {
  const isPage = answer === undefined;
  return {
    operationId: `wx${pascal(path)}`,
    summary,
    description: isPage ? 'Wants no key.' : 'The key wants the scope proxy.',
    tags: ['wx'],
    security: SECURITY[by],
    'x-scope': isPage ? 'none' : 'proxy',
    parameters: fieldsOf(query).map(({ name, required, schema }) => ({
      name,
      in: 'query',
      required,
      schema,
    })),
    ...(body && {
      requestBody: {
        required: true,
        description: 'JSON, whatever its type says; 64 KiB at the most',
        content: { 'application/json': { schema: objectOf(body) } },
      },
    }),
    responses: {
      200: answers(answer ? [objectOf(answer)] : [], errcodes),
      ...(isPage && { 302: { description: 'To WeChat’s page' } }),
      ...(body && { 504: maybeDone }),
      508: ofItself,
    },
  };
}

/** `/wx/{path}`: what goes on to WeChat. */
function anyOther(method: string): object {
  return {
    operationId: `wx${pascal(method)}`,
    summary: 'Any other call of WeChat, by a stand-in',
    description:
      'The stand-in is replaced by the real token; the rest, and WeChat’s answer, pass as they are. ' +
      'The key wants the scope proxy, and its paths count. `path` is a path of api.weixin.qq.com ' +
      'with its slashes. With GATEWAY_HOSTS the same is at the root of a host.',
    tags: ['wx'],
    security: [...SECURITY.token, ...SECURITY.platform],
    'x-scope': 'proxy',
    parameters: [
      {
        name: 'path',
        in: 'path',
        required: true,
        schema: { type: 'string', pattern: '^[\\w-]+(/[\\w-]+)*$' },
        example: 'cgi-bin/message/custom/send',
      },
    ],
    ...(method === 'get' ? {} : { requestBody: { content: { '*/*': {} } } }),
    responses: {
      200: answers(
        [{ type: 'object', additionalProperties: true, description: 'WeChat’s, JSON or a file' }],
        [...OF_STAND_IN, 40066, 45002, ...OF_ACCOUNT],
      ),
      ...(method === 'get' ? {} : { 504: maybeDone }),
      508: ofItself,
    },
  };
}

const error = { $ref: '#/components/schemas/WechatError' };

function answers(schemas: Schema[], errcodes: WxErrcode[]): object {
  const codes = [...new Set(errcodes)].toSorted((a, b) => a - b);
  return {
    description: `Errors are HTTP 200, too. ${meaningOf(codes)}`,
    content: { 'application/json': { schema: { anyOf: [...schemas, error] }, example: {} } },
  };
}

function errorAt(errcode: number, description: string): object {
  return {
    description,
    content: { 'application/json': { schema: error, example: { errcode, errmsg: description } } },
  };
}

const maybeDone = errorAt(-1, 'WeChat did not answer in time; the call may have had its effect');
const ofItself = errorAt(-1, 'WECHAT_API_BASE_URL leads to a hub');

function meaningOf(codes: Iterable<WxErrcode>): string {
  return [...codes].map((code) => `${code}: ${ERRCODE_MEANINGS.get(code)}`).join('; ');
}

function fieldsOf(names: string): { name: string; required: boolean; schema: Schema }[] {
  return names.split(' ').flatMap((one) => {
    const name = one.replace('?', '');
    const schema = FIELDS[name] ?? { type: 'string' };
    return name === '' ? [] : [{ name, required: name === one, schema }];
  });
}

function objectOf(names: string): Schema {
  const fields = fieldsOf(names);
  return {
    type: 'object',
    required: fields.filter(({ required }) => required).map(({ name }) => name),
    properties: Object.fromEntries(fields.map(({ name, schema }) => [name, schema])),
  };
}

function pascal(path: string): string {
  return path.replaceAll(/(?:^|[/_-])(\w)/g, (_, first: string) => first.toUpperCase());
}
