import { describe, expect, it } from 'vitest';
import { cdata, parseWechatXml } from './wechat-xml.js';

const nested = (depth: number): string =>
  `<xml>${'<a>'.repeat(depth - 1)}x${'</a>'.repeat(depth - 1)}</xml>`;

/** What a careless scanner takes for CDATA, and a parser for markup. */
const HIDING = '<a b="><![CDATA["/>';

const hiding = (opening: string): string =>
  `<xml>${opening}${'<c>'.repeat(10_000)}${'</c>'.repeat(10_000)}<d>]]&gt;<!--]]>--></d></xml>`;

describe('parseWechatXml', () => {
  it('reads a ticket push as it was captured', () => {
    const fields = parseWechatXml(
      '<xml><AppId><![CDATA[wx0123456789abcdef]]></AppId>\n<CreateTime>1413192605</CreateTime>\n' +
        '<InfoType><![CDATA[component_verify_ticket]]></InfoType>\n' +
        '<ComponentVerifyTicket><![CDATA[ticket@@@fake]]></ComponentVerifyTicket>\n</xml>',
    );
    expect({ ...fields }).toEqual({
      AppId: 'wx0123456789abcdef',
      CreateTime: '1413192605',
      InfoType: 'component_verify_ticket',
      ComponentVerifyTicket: 'ticket@@@fake',
    });
  });

  it.each([
    ['text as it stands', '<xml><a> \n text \t</a></xml>', ' \n text \t'],
    ['text of nothing but white space', '<xml><a> \n </a></xml>', ' \n '],
    ['CDATA of nothing but white space', '<xml><a><![CDATA[  \n ]]></a></xml>', '  \n '],
    ['an empty element', '<xml><a></a></xml>', ''],
    ['an element that closes itself', '<xml><a/></xml>', ''],
    ['empty CDATA', '<xml><a><![CDATA[]]></a></xml>', ''],
    [
      'markup within CDATA',
      '<xml><a><![CDATA[<!DOCTYPE x><b>&c;]]></a></xml>',
      '<!DOCTYPE x><b>&c;',
    ],
    ['a comment mark within CDATA', '<xml><a><![CDATA[<!-- ]]></a></xml>', '<!-- '],
    ['"]]>" in two sections', '<xml><a><![CDATA[x]]]]><![CDATA[>y]]></a></xml>', 'x]]>y'],
    ['the five entities of XML', '<xml><a>&lt;&gt;&amp;&quot;&apos;</a></xml>', '<>&"\''],
    ['numeric references', '<xml><a>&#20013;&#x1F600;</a></xml>', '中😀'],
    ['text and CDATA one after the other', '<xml><a>x<![CDATA[ y ]]>z</a></xml>', 'x y z'],
    ['text around a comment', '<xml><a>x<!-- <b> -->y</a></xml>', 'xy'],
    ['Chinese text', '<xml><a>消息</a></xml>', '消息'],
    ['an element with attributes', '<xml v="1"><a b="1>2" c=\'"\'>x</a></xml>', 'x'],
    ['a declaration before it', '<?xml version="1.0"?>\n<xml><a>x</a></xml>\n', 'x'],
  ])('keeps %s', (_, xml, expected) => {
    expect(parseWechatXml(xml).a).toBe(expected);
  });

  it('keeps AppId and appid apart', () => {
    const fields = parseWechatXml('<xml><AppId>wxPlatform</AppId><appid>wxMini</appid></xml>');
    expect({ ...fields }).toEqual({ AppId: 'wxPlatform', appid: 'wxMini' });
  });

  it('makes a list of a name that stands several times', () => {
    const fields = parseWechatXml('<xml><a>1</a><b>2</b><a>3</a><a/></xml>');
    expect({ ...fields }).toEqual({ a: ['1', '3', ''], b: '2' });
  });

  it('keeps unknown fields, and fields within fields', () => {
    const fields = parseWechatXml(
      '<xml><info><name>n</name><list><i>1</i><i>2</i></list></info><New-Field.1>y</New-Field.1></xml>',
    );
    expect(JSON.parse(JSON.stringify(fields))).toEqual({
      info: { name: 'n', list: { i: ['1', '2'] } },
      'New-Field.1': 'y',
    });
  });

  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '_', 'cdata'])(
    'takes a field named %s as a field like any other',
    (name) => {
      const fields = parseWechatXml(
        `<xml><${name}>one</${name}><b><![CDATA[x]]><${name}><c>two</c></${name}></b></xml>`,
      );
      expect(Object.getPrototypeOf(fields)).toBeNull();
      expect(Object.keys(fields)).toEqual([name, 'b']);
      expect(fields[name]).toBe('one');
      expect(JSON.stringify(fields.b)).toBe(`{"${name}":{"c":"two"}}`);
      expect(({} as Record<string, unknown>).c).toBeUndefined();
    },
  );

  it('takes 32 levels and 5000 elements', () => {
    expect(parseWechatXml(nested(32))).toHaveProperty('a');
    expect(parseWechatXml(`<xml>${'<a>1</a>'.repeat(4999)}</xml>`).a).toHaveLength(4999);
  });

  it('reads a text of a megabyte', () => {
    const text = 'x<&'.repeat(350_000);
    expect(parseWechatXml(`<xml><a>${cdata(text)}</a></xml>`).a).toBe(text);
  });

  it.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['plain text', 'success'],
    ['JSON', '{"Encrypt":"x"}'],
    ['a DOCTYPE', '<!DOCTYPE xml><xml><a>x</a></xml>'],
    ['a DOCTYPE in lower case', '<!doctype xml><xml><a>x</a></xml>'],
    [
      'an external entity',
      '<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml>&e;</xml>',
    ],
    ['an entity bomb', '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><xml><a>&b;</a></xml>'],
    ['a DOCTYPE after the root', '<xml><a>x</a></xml><!DOCTYPE xml>'],
    ['a DOCTYPE within the root', '<xml><!DOCTYPE xml><a>x</a></xml>'],
    ['CDATA in lower case', '<xml><a><![cdata[x]]></a></xml>'],
    ['an entity that XML does not have', '<xml><a>&nbsp;</a></xml>'],
    ['a reference to NUL', '<xml><a>&#0;</a></xml>'],
    ['a reference beyond Unicode', '<xml><a>&#x110000;</a></xml>'],
    ['a reference to half a character', '<xml><a>&#xD800;</a></xml>'],
    ['NUL in text', '<xml><a>\0</a></xml>'],
    ['NUL in CDATA', '<xml><a><![CDATA[\0]]></a></xml>'],
    ['33 levels', nested(33)],
    ['10 000 levels', nested(10_000)],
    ['10 000 levels that never close', `<xml>${'<a>'.repeat(10_000)}`],
    ['5001 elements', `<xml>${'<a>1</a>'.repeat(5000)}</xml>`],
    ['10 000 elements that close themselves', `<xml>${'<a/>'.repeat(10_000)}</xml>`],
    ['10 000 references', `<xml><a>${'&amp;'.repeat(10_000)}</a></xml>`],
    ['10 000 comments', `<xml>${'<!---->'.repeat(10_000)}</xml>`],
    ['10 000 sections of CDATA', `<xml>${'<![CDATA[x]]>'.repeat(10_000)}</xml>`],
    ['a DOCTYPE hidden behind an attribute', `<xml>${HIDING}<!DOCTYPE a><b>]]></b></xml>`],
    ['10 000 levels hidden behind an attribute', hiding(HIDING)],
    ['10 000 levels hidden behind a comment', hiding('<!---><![CDATA[-->')],
    ['10 000 levels hidden behind an instruction', hiding('<?><![CDATA[?>')],
    ['10 000 levels hidden behind another instruction', hiding('<?a ??><![CDATA[ ?>')],
    ['"<" in an attribute', '<xml><a b="<">x</a></xml>'],
    ['an element that does not close', '<xml><a>x</xml>'],
    ['elements that overlap', '<xml><a><b>x</a></b></xml>'],
    ['a tag cut short', '<xml><a>x</a></xml'],
    ['CDATA cut short', '<xml><a><![CDATA[x]]</a></xml>'],
    ['two roots', '<xml><a>x</a></xml><xml><a>y</a></xml>'],
    ['text behind the root', '<xml><a>x</a></xml>y'],
    ['text before the root', 'y<xml><a>x</a></xml>'],
  ])('refuses %s', (_, xml) => {
    expect(() => parseWechatXml(xml)).toThrow(
      expect.objectContaining({ errcode: -40002, code: 'xml_invalid', status: 400 }),
    );
  });

  it('gives no fields for a root without any', () => {
    expect(Object.keys(parseWechatXml('<xml>text</xml>'))).toEqual([]);
    expect(Object.keys(parseWechatXml('<xml/>'))).toEqual([]);
  });

  it('refuses a megabyte of opening tags in no time', () => {
    const started = performance.now();
    expect(() => parseWechatXml('<a>'.repeat(350_000))).toThrow('too deep');
    expect(() => parseWechatXml(`<a ${'"<'.repeat(350_000)}`)).toThrow('not well-formed');
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('cdata', () => {
  it.each(['', 'text', ']]>', 'a]]>b]]>', ']]', '<b>&amp;</b>', '<![CDATA[x]]>', ' \n'])(
    'brings "%s" through the parser unchanged',
    (text) => {
      expect(parseWechatXml(`<xml><a>${cdata(text)}</a></xml>`).a).toBe(text);
    },
  );
});
