import { describe, expect, it } from 'vitest';
import { HubError } from '../common/hub-error.js';
import { readWechatUrl, refuseKept, refuseTokens, tokenParameter } from './wechat-url.js';

function codeOf(act: () => unknown): string {
  try {
    act();
    return 'taken';
  } catch (error) {
    return error instanceof HubError ? error.code : 'unknown';
  }
}

describe('a URL behind the gateway', () => {
  it.each([
    ['cgi-bin/message/custom/send', { path: 'cgi-bin/message/custom/send', query: '' }],
    ['wxa/getwxacode?a=1&b=%E4%B8%AD', { path: 'wxa/getwxacode', query: 'a=1&b=%E4%B8%AD' }],
    ['a?b=c?d', { path: 'a', query: 'b=c?d' }],
  ])('%s has a path and a query', (text, expected) => {
    expect(readWechatUrl(text)).toEqual(expected);
  });

  it.each([
    ['', 'bad_wechat_path'],
    ['/a', 'bad_wechat_path'],
    ['a/', 'bad_wechat_path'],
    ['a//b', 'bad_wechat_path'],
    ['..', 'bad_wechat_path'],
    ['a/../b', 'bad_wechat_path'],
    ['a/./b', 'bad_wechat_path'],
    ['a%2fb', 'bad_wechat_path'],
    ['%2e%2e/a', 'bad_wechat_path'],
    ['a\\b', 'bad_wechat_path'],
    ['@evil.example.com/a', 'bad_wechat_path'],
    ['http://evil.example.com', 'bad_wechat_path'],
    ['a:80', 'bad_wechat_path'],
    ['a;b', 'bad_wechat_path'],
    ['a b', 'bad_wechat_path'],
    ['a\r\nHost: evil', 'bad_wechat_path'],
    ['ａ', 'bad_wechat_path'],
    ['a'.repeat(257), 'bad_wechat_path'],
    ['a?b#c', 'bad_query'],
    ['a?b c', 'bad_query'],
    ['a?b\r\nc', 'bad_query'],
    ['a?b=中', 'bad_query'],
  ])('%j is refused as %s', (text, code) => {
    expect(codeOf(() => readWechatUrl(text))).toBe(code);
  });

  it.each([
    ['a=1', 'taken'],
    ['access_tokens=1', 'taken'],
    ['a=access_token', 'taken'],
    ['access_token=1', 'token_in_query'],
    ['a=1&access_token', 'token_in_query'],
    ['ACCESS_TOKEN=1', 'token_in_query'],
    ['component_access_token=', 'token_in_query'],
    ['%61ccess_token=1', 'token_in_query'],
    ['access%5Ftoken=1', 'token_in_query'],
    ['+access_token=1', 'token_in_query'],
    ['access_token%20=1', 'token_in_query'],
    ['access_token%5B%5D=1', 'token_in_query'],
    ['a=1;access_token=1', 'token_in_query'],
    ['access_token%00=1', 'token_in_query'],
    ['%zz=1', 'bad_query'],
  ])('the query %s is %s', (query, code) => {
    expect(codeOf(() => refuseTokens(query))).toBe(code);
  });

  it.each([
    ['cgi-bin/component/api_get_authorizer_option', 'component_access_token'],
    ['sns/component/jscode2session', 'component_access_token'],
    ['sns/oauth2/component/access_token', 'component_access_token'],
    ['cgi-bin/get_api_domain_ip', 'access_token'],
    ['cgi-bin/components', 'access_token'],
    ['sns/userinfo', 'access_token'],
  ])('%s wants its token as %s', (path, parameter) => {
    expect(tokenParameter(path)).toBe(parameter);
  });

  it.each([
    ['cgi-bin/token', 'kept_by_hub'],
    ['CGI-BIN/Component/API_Query_Auth', 'kept_by_hub'],
    ['cgi-bin/tokens', 'taken'],
    ['constructor', 'taken'],
    ['__proto__', 'taken'],
  ])('%s is %s', (path, code) => {
    expect(codeOf(() => refuseKept({ path, query: '' }))).toBe(code);
  });
});
