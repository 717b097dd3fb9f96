import { describe, expect, it } from 'vitest';
import type { Push } from '../callback/push.js';
import { parseWechatXml } from '../wechat-crypto/wechat-xml.js';
import { readPushText } from '../wechat-crypto/push-text.js';
import { pushBody, pushType } from './push-body.js';

const TEXT =
  '<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oUser]]></FromUserName>' +
  '<CreateTime>1348831860</CreateTime><MsgType><![CDATA[text]]></MsgType>' +
  '<Content><![CDATA[this is a test]]></Content><MsgId>1234567890123456</MsgId></xml>';

function message(changes: Partial<Push> = {}): Push {
  const text = changes.text ?? TEXT;
  return {
    id: '0199a3f0-7c1e-7a54-9c1d-1f2e3d4c5b6a',
    kind: 'message',
    componentAppId: 'wxplatform',
    authorizerAppId: 'wxaccount',
    infoType: '',
    msgType: 'text',
    event: null,
    fromUser: 'oUser',
    createTime: 1348831860,
    receivedAt: 1348831861000,
    fields: text.startsWith('<') ? parseWechatXml(text) : {},
    format: 'xml',
    problem: null,
    ...changes,
    text,
  };
}

function authorization(fields: string): Push {
  const names = { kind: 'authorization', infoType: 'authorized', msgType: null } as const;
  const text = `<xml><AppId>wxplatform</AppId>${fields}</xml>`;
  return message({ ...names, authorizerAppId: null, fromUser: null, text });
}

describe('the JSON view', () => {
  it('has what every push has, its fields as WeChat spells them, and its text', () => {
    const { contentType, body } = pushBody(message(), 'json');
    expect(contentType).toBe('application/json');
    expect(JSON.parse(body)).toEqual({
      type: 'message.text',
      timestamp: '2012-09-28T11:31:00.000Z',
      data: {
        id: '0199a3f0-7c1e-7a54-9c1d-1f2e3d4c5b6a',
        componentAppId: 'wxplatform',
        authorizerAppId: 'wxaccount',
        fromUserName: 'oUser',
        createTime: 1348831860,
        msgType: 'text',
        fields: {
          ToUserName: 'gh_1',
          FromUserName: 'oUser',
          CreateTime: '1348831860',
          MsgType: 'text',
          Content: 'this is a test',
          MsgId: '1234567890123456',
        },
        raw: TEXT,
      },
    });
  });

  it('has the time of arrival where WeChat gave none', () => {
    const { body } = pushBody(message({ createTime: null }), 'json');
    expect(JSON.parse(body).timestamp).toBe('2012-09-28T11:31:01.000Z');
  });
});

describe('the type of a push', () => {
  it.each([
    ['message.image', { msgType: 'image' }],
    ['event.CLICK', { kind: 'event', msgType: 'event', event: 'CLICK' }],
    ['authorization.authorized', { kind: 'authorization', infoType: 'authorized' }],
    ['event.unknown', { kind: 'event', msgType: 'event', event: '' }],
    ['message.unknown', { msgType: null }],
  ] as [string, Partial<Push>][])('%s', (type, changes) => {
    expect(pushType(message(changes))).toBe(type);
  });
});

describe('the raw format', () => {
  it('is the text, byte for byte, with what it lacks in headers', () => {
    expect(pushBody(message(), 'raw')).toEqual({
      contentType: 'text/xml; charset=utf-8',
      body: TEXT,
      headers: {
        'x-hub-push-id': '0199a3f0-7c1e-7a54-9c1d-1f2e3d4c5b6a',
        'x-hub-push-type': 'message.text',
        'x-hub-component-appid': 'wxplatform',
        'x-hub-authorizer-appid': 'wxaccount',
      },
    });
  });

  it('says that JSON is JSON', () => {
    const push = message({ format: 'json', text: '{"MsgType":"text"}' });
    expect(pushBody(push, 'raw').contentType).toBe('application/json; charset=utf-8');
  });

  it('lets no name of WeChat’s break a header', () => {
    const event = 'x\r\nx-forged: 1 订阅';
    const push = message({ kind: 'event', msgType: 'event', event });
    const type = pushBody(push, 'raw').headers['x-hub-push-type'];
    expect(type).toMatch(/^[\x21-\x7e]+$/);
    expect(decodeURIComponent(type ?? '')).toBe(`event.${event}`);
  });
});

describe('a header of the raw format', () => {
  it.each([
    ['half a character', 'a\ud800', 'event.a\ufffd'],
    ['the other half', '\udc00b', 'event.\ufffdb'],
    ['a whole one', '😀', 'event.😀'],
    ['20,000 characters', 'x'.repeat(20_000), `event.${'x'.repeat(58)}`],
    ['a character cut in two', `${'x'.repeat(57)}😀`, `event.${'x'.repeat(57)}\ufffd`],
  ])('can be sent with a name of %s', (_, event, sent) => {
    const push = message({ kind: 'event', msgType: 'event', event });
    const type = pushBody(push, 'raw').headers['x-hub-push-type'] ?? '';
    expect(type).toMatch(/^[\x21-\x7e]+$/);
    expect(decodeURIComponent(type)).toBe(sent);
  });
});

describe('a code that the hub has used', () => {
  const code = 'queryauthcode@@@fake&<code>';
  const escaped = 'queryauthcode@@@fake&amp;&lt;code&gt;';

  it.each([
    ['in CDATA', `<AuthorizationCode><![CDATA[${code}]]></AuthorizationCode>`],
    ['as text', `<AuthorizationCode>${escaped}</AuthorizationCode>`],
    ['in a tag with an attribute', `<PreAuthCode x="1"><![CDATA[${code}]]></PreAuthCode>`],
    ['of a registration', `<auth_code><![CDATA[${code}]]></auth_code>`],
    ['deeper down', `<info><auth_code>${escaped}</auth_code></info>`],
    ['twice', `<auth_code>${escaped}</auth_code><auth_code>${escaped}</auth_code>`],
    ['a ticket', `<ComponentVerifyTicket>${escaped}</ComponentVerifyTicket>`],
  ])('is nowhere in what is sent: %s', (_, fields) => {
    for (const format of ['json', 'raw'] as const) {
      const { body } = pushBody(authorization(fields), format);
      expect(body).toContain('[secret]');
      expect(body).not.toContain('queryauthcode');
      if (format === 'raw') expect(Object.keys(parseWechatXml(body))).toContain('AppId');
    }
  });

  it('stays where it is no code: in a message', () => {
    const push = message({ text: '<xml><auth_code>1</auth_code></xml>' });
    expect(pushBody(push, 'raw').body).toContain('<auth_code>1</auth_code>');
  });
});

describe('the secrets of an event', () => {
  const CODE = 'queryauthcode@@@fake-Code_0123456789';
  const PLAIN = 'FakeTicketWithoutItsUsualForm0123456789';
  const references = [...CODE].map((character) => `&#${character.charCodeAt(0)};`).join('');
  const escapes = [...CODE]
    .map((character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');

  it.each([
    ['in CDATA', `<AuthorizationCode><![CDATA[${CODE}]]></AuthorizationCode>`],
    ['bare', `<AuthorizationCode>${CODE}</AuthorizationCode>`],
    ['as character references', `<AuthorizationCode>${references}</AuthorizationCode>`],
    [
      'in split CDATA',
      `<AuthorizationCode><![CDATA[query]]><![CDATA[${CODE.slice(5)}]]></AuthorizationCode>`,
    ],
    ['twice', `<PreAuthCode>${PLAIN}</PreAuthCode><PreAuthCode>${CODE}</PreAuthCode>`],
    ['within fields', `<info><auth_code>${PLAIN}</auth_code></info>`],
    ['in a field of another name', `<New><![CDATA[code=${CODE}]]></New>`],
    [
      'in CDATA that contains its own end',
      `<AuthorizationCode><![CDATA[]]>${PLAIN}]]></AuthorizationCode>`,
    ],
    ['in an element without end', `<ComponentVerifyTicket><![CDATA[${PLAIN}`],
    ['as references in an element without end', `<AuthorizationCode>${references}`],
    ['in an element with an attribute', `<auth_code a="b">${PLAIN}</auth_code><broken>`],
  ])('leave in no form when they stand %s', (_, fields) => {
    const text = `<xml><InfoType>authorized</InfoType>${fields}</xml>`;
    const { fields: read, problem } = readPushText(text);
    const push = { ...authorization(''), text, fields: read, problem };
    for (const format of ['json', 'raw'] as const) {
      const { body } = pushBody(push, format);
      const plain = body.replace(/&#(\d+);/g, (__, code) => String.fromCharCode(Number(code)));
      expect(plain).not.toContain(CODE.slice(16));
      expect(plain).not.toContain(PLAIN);
      expect(body).toContain('[secret]');
    }
  });

  it.each([
    ['whole', `{"InfoType":"authorized","AuthorizationCode":"${PLAIN}"}`],
    ['with escapes', `{"InfoType":"authorized","AuthorizationCode":"${escapes}"}`],
    ['cut off', `{"InfoType":"authorized","AuthorizationCode":"${PLAIN}`],
    ['malformed', `{"InfoType":"authorized",,"AuthorizationCode":"${escapes}"}`],
  ])('leave in no form in JSON that is %s', (_, text) => {
    const push = { ...authorization(''), text, ...readPushText(text) };
    const { body } = pushBody(push, 'json');
    const plain = body.replace(/\\+u([\da-f]{4})/g, (__, code) =>
      String.fromCharCode(parseInt(code, 16)),
    );
    expect(plain).not.toContain(CODE.slice(16));
    expect(plain).not.toContain(PLAIN);
    expect(body).toContain('[secret]');
  });
});
