import { describe, expect, it } from 'vitest';
import { Secret } from '../common/secret.js';
import { maskedErrmsg } from './masked-errmsg.js';

const APP_SECRET = 'f4ke0000aa11bb22cc33dd44ee55ff66';
const TICKET = 'ticket@@@FAKE-vR7xQ2mZ_pL9wK4tY8nB3sD6fG1hJ5cV0aE';
const TOKEN = '95_FAKEuZ3nQ8-mX2vB7kL4pW9rT6yH1sD5fG0jC';
const SENT = [APP_SECRET, TICKET, TOKEN].map((value) => new Secret(value));

const mask = (errmsg: unknown): string => maskedErrmsg(errmsg, SENT);
const share = (text: string, from: number, to: number): string =>
  text.slice(Math.round(from * text.length), Math.round(to * text.length));

describe("WeChat's text that says a secret", () => {
  it.each([
    ['whole', `no ${APP_SECRET} for ${TICKET}, wx0123`, 'no [secret] for [secret], wx0123'],
    ['by its first four fifths', `bad ${share(APP_SECRET, 0, 0.8)}!`, 'bad [secret]!'],
    ['by its last four fifths', `bad ${share(TOKEN, 0.2, 1)}!`, 'bad [secret]!'],
    ['by eight characters', `bad ${APP_SECRET.slice(10, 18)}.`, 'bad [secret].'],
    ['twice', `${APP_SECRET.slice(0, 12)} ${APP_SECRET.slice(20)}`, '[secret] [secret]'],
    ['in capitals', `bad ${APP_SECRET.toUpperCase().slice(0, 12)}`, 'bad [secret]'],
    ['within other letters', `xx${APP_SECRET.slice(0, 10)}yy`, 'xx[secret]yy'],
    [
      'with dots for the rest',
      `${APP_SECRET.slice(0, 8)}****${APP_SECRET.slice(-8)}`,
      '[secret]****[secret]',
    ],
    ['percent-encoded', `bad ${encodeURIComponent(TICKET)}`, 'bad [secret]'],
    ["by WeChat's mark, never sent", 'code queryauthcode@@@FAKE is used', 'code [secret] is used'],
    ['by its mark, encoded', 'code preauthcode%40%40%40FAKE is used', 'code [secret] is used'],
    ['by its mark as references', 'code x&#64;&#64;&#64;FAKE is used', 'code [secret] is used'],
    [
      'that was never sent, by its form',
      'token 71_dQw4w9WgXcQ-fakefakefake bad',
      'token [secret] bad',
    ],
    ['without digits, by its form', 'key QwErTyUiOpAsDfGhJkLzXcVb bad', 'key [secret] bad'],
    ['beside a letter whose lower case is longer', `İ ${APP_SECRET}`, 'İ [secret]'],
    ['in place of an id', `rid: ${'0123456789abcdef'.repeat(2)}`, 'rid: [secret]'],
  ])('%s', (_, errmsg, masked) => {
    expect(mask(errmsg)).toBe(masked);
  });

  const short = TICKET.slice(9, 29);
  it.each([
    ['with blanks in between', `bad ${[...short].join(' ')}`],
    ['in groups of seven', `bad ${short.replace(/.{7}/g, '$& ')}`],
    ['as character references', `bad ${[...short].map((c) => `&#${c.charCodeAt(0)};`).join('')}`],
    [
      'as hexadecimal references',
      `bad ${[...short].map((c) => `&#x${c.charCodeAt(0).toString(16)};`).join('')}`,
    ],
    [
      'with every letter percent-encoded',
      `bad ${[...short].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('.')}`,
    ],
    [
      'as escapes of JSON',
      `bad ${[...short].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join('')}`,
    ],
    [
      'in wide letters',
      `bad ${[...short].map((c) => (/\w/.test(c) ? String.fromCharCode(c.charCodeAt(0) + 0xfee0) : c)).join('')}`,
    ],
  ])('%s is left out as a whole', (_, errmsg) => {
    expect(mask(errmsg)).not.toContain(errmsg.slice(4, 12));
    expect(mask(errmsg)).toMatch(/^(?:bad )?\[secret\]/);
  });

  it.each([
    'invalid credential, access_token is invalid or not latest rid: 5fa26c60-1a0ebdd5-32fd1cd0',
    'invalid appsecret, view more at http://t.cn/RAEkdVq hint: [jotvMa01143580]',
    'component ticket is expired',
    'refresh_token is invalid: authorizer_refresh_token, component_verify_ticket',
    'access clientip is not registered hint: [ZJ6NTA0211e578] requestIP: 2001:db8:1234:5678:9abc:def0:1234:5678',
    'reach max api daily quota limit, retry after 2026-11-22T08:51:30Z',
    '系统繁忙，请稍候再试',
    'in a normal state',
  ])('stays readable where it says none: %s', (errmsg) => {
    expect(mask(errmsg)).toBe(errmsg);
  });

  it('hides a secret of fewer than eight characters only whole', () => {
    expect(maskedErrmsg('abc123 abc12', [new Secret('abc123')])).toBe('[secret] abc12');
  });

  it('is short, and one whatever its type is', () => {
    expect(mask(`${'bad '.repeat(400)}${APP_SECRET}`)).toHaveLength(500);
    expect(mask(`${'bad '.repeat(123)}${APP_SECRET}`)).not.toContain('f4ke');
    expect(mask({ secret: APP_SECRET })).toBe('[object Object]');
    expect(mask([APP_SECRET])).toBe('[secret]');
    expect(mask(undefined)).toBe('');
  });
});
