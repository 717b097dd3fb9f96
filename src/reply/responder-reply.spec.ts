import { describe, expect, it } from 'vitest';
import { parseWechatXml } from '../wechat-crypto/wechat-xml.js';
import { passiveReplyExamples } from './passive-reply.js';
import { ReplyInvalidError } from './reply-invalid.error.js';
import { responderReply, type AnsweredPush } from './responder-reply.js';

const HEAD = { toUserName: 'oUser', fromUserName: 'gh_account', createTime: 1_735_690_600 };

/** A user's message, and an event. */
const MESSAGE: AnsweredPush = { format: 'xml', fromUser: true, head: () => HEAD };
const EVENT: AnsweredPush = { ...MESSAGE, fromUser: false };
const toJson = (push: AnsweredPush): AnsweredPush => ({ ...push, format: 'json' });

const fromJson = (value: unknown): string => responderReply(JSON.stringify(value), MESSAGE).text;
const fields = (xml: string): unknown => JSON.parse(JSON.stringify(parseWechatXml(xml)));
const head = (type: string): object => ({
  ToUserName: 'oUser',
  FromUserName: 'gh_account',
  CreateTime: '1735690600',
  MsgType: type,
});

describe('a reply in JSON', () => {
  it.each([
    [
      'fields',
      `{"MsgType":"text","Content":"a",${Array.from({ length: 9000 }, (_, i) => `"f${i}":"x"`).join()}}`,
    ],
    ['entries', `{"MsgType":"text","Content":"a","x":[${'1,'.repeat(20_000)}1]}`],
  ])('that is larger than any is refused unparsed for thousands of %s', (_what, text) => {
    expect(() => responderReply(text, MESSAGE)).toThrow(/too many fields/);
  });

  it('may be a long text, whatever it says', () => {
    const long = '{"a":[1,2]}, \\" '.repeat(10_000);
    const { content } = responderReply(JSON.stringify({ MsgType: 'text', Content: long }), MESSAGE);
    expect(content).toBe(long);
  });

  it('is laid out as in the documentation', () => {
    expect(fromJson({ MsgType: 'text', Content: '你好' })).toBe(
      '<xml><ToUserName><![CDATA[oUser]]></ToUserName>' +
        '<FromUserName><![CDATA[gh_account]]></FromUserName>' +
        '<CreateTime>1735690600</CreateTime><MsgType><![CDATA[text]]></MsgType>' +
        '<Content><![CDATA[你好]]></Content></xml>',
    );
  });

  it.each(passiveReplyExamples.map((example) => [example.MsgType, example] as const))(
    'of type %s has all its fields',
    (type, example) => {
      const { MsgType: _, ...content } = example as Record<string, unknown> & { MsgType: string };
      const articles = content.Articles as object[] | undefined;
      const expected = articles
        ? { ArticleCount: String(articles.length), Articles: { item: articles[0] } }
        : content;
      expect(fields(fromJson(example))).toEqual({ ...head(type), ...expected });
    },
  );

  it('has its articles one after the other', () => {
    const Articles = ['a', 'b'].map((x) => ({ Title: x, Description: x, PicUrl: x, Url: x }));
    expect(fields(fromJson({ MsgType: 'news', Articles }))).toEqual({
      ...head('news'),
      ArticleCount: '2',
      Articles: { item: Articles },
    });
  });

  it('does not change who it is to, whatever it says', () => {
    const value = { MsgType: 'text', Content: 'a', ToUserName: 'oOther', CreateTime: 1 };
    expect(fields(fromJson(value))).toEqual({ ...head('text'), Content: 'a' });
  });

  it.each([
    ['the end of a CDATA section', 'a]]>b]]>'],
    ['markup', '</Content><Content>&amp;<![CDATA['],
    ['emoji and line ends', '😀👨‍👩‍👧\r\n\t 内'],
    ['exactly the longest text', '内'.repeat(682) + 'a'],
  ])('keeps %s', (_, content) => {
    const reply = fromJson({ MsgType: 'text', Content: content });
    expect(fields(reply)).toEqual({ ...head('text'), Content: content });
  });

  it.each<[string, unknown, RegExp]>([
    ['no MsgType', { Content: 'a' }, /MsgType is missing/],
    ['its type in lower case', { msgtype: 'text', text: { content: 'a' } }, /MsgType is missing/],
    ['a known type in other letters', { MsgType: 'Text', Content: 'a' }, /MsgType is text, in/],
    ['a type of nothing', { MsgType: '', Content: 'a' }, /MsgType is missing/],
    ['null that is needed', { MsgType: 'text', Content: null }, /Content/],
    ['an article of nothing', { MsgType: 'news', Articles: [{}] }, /Articles.0: has no field/],
    ['an article of null', { MsgType: 'news', Articles: [null] }, /Articles.0/],
    ['a type of numbers', { MsgType: 1 }, /MsgType is missing/],
    ['no content', { MsgType: 'text' }, /Content/],
    ['an empty content', { MsgType: 'text', Content: '' }, /Content: must not be empty/],
    ['a content of fields', { MsgType: 'text', Content: { a: 1 } }, /Content/],
    ['NUL', { MsgType: 'text', Content: 'a\0b' }, /Content: holds a character/],
    ['a control character', { MsgType: 'text', Content: 'a\u0007' }, /Content: holds a character/],
    ['half a character', { MsgType: 'text', Content: 'a\ud83d' }, /Content: holds a character/],
    ['no MediaId', { MsgType: 'image', Image: {} }, /Image.MediaId/],
    ['no articles', { MsgType: 'news', Articles: [] }, /Articles/],
    ['nine articles', { MsgType: 'news', Articles: Array(9).fill(article()) }, /Articles/],
    [
      'too much of everything',
      { MsgType: 'news', Articles: [article('内'.repeat(11_000))] },
      /32768/,
    ],
    ['a list', [{ MsgType: 'text' }], /it is a list/],
    ['nothing', null, /neither JSON nor XML/],
  ])('is refused with %s', (_, value, why) => {
    expect(() => fromJson(value)).toThrow(ReplyInvalidError);
    expect(() => fromJson(value)).toThrow(why);
  });

  it('is refused without repeating what it holds', () => {
    const secret = 'fake-secret-of-a-user';
    const answers = [
      JSON.stringify({ MsgType: 'text', [secret]: 1 }),
      JSON.stringify({ MsgType: 'TEXT', Content: secret }),
      JSON.stringify({ MsgType: 'text', Content: `${secret}\0` }),
      `{"MsgType":"${secret}`,
    ];
    const messages = answers.map((answer) => messageOf(() => responderReply(answer, MESSAGE)));
    expect(messages.map((message) => message.includes('is no reply'))).toEqual(
      answers.map(() => true),
    );
    expect(messages.join()).not.toContain(secret);
  });
});

describe('a reply in XML', () => {
  const rewrite = (xml: string): unknown => fields(responderReply(xml.trim(), MESSAGE).text);

  it.each<[string, string, object]>([
    [
      'a text',
      '<xml><ToUserName>x</ToUserName><MsgType><![CDATA[text]]></MsgType><Content>a &lt; b</Content></xml>',
      { ...head('text'), Content: 'a < b' },
    ],
    [
      'one article',
      `<xml><MsgType>news</MsgType><ArticleCount>7</ArticleCount><Articles><item>${items('a')}</item></Articles></xml>`,
      { ...head('news'), ArticleCount: '1', Articles: { item: article('a') } },
    ],
    [
      'two articles',
      `<xml><MsgType>news</MsgType><Articles><item>${items('a')}</item><item>${items('b')}</item></Articles></xml>`,
      { ...head('news'), ArticleCount: '2', Articles: { item: [article('a'), article('b')] } },
    ],
    [
      'a type that the hub does not know',
      '<xml><MsgType>hardware</MsgType><HardWare><MessageView>myrank</MessageView></HardWare><FuncFlag>0</FuncFlag></xml>',
      { ...head('hardware'), HardWare: { MessageView: 'myrank' }, FuncFlag: '0' },
    ],
    [
      'a declaration and white space',
      ' <?xml version="1.0"?>\n<xml> <MsgType>text</MsgType>\n<Content>a</Content></xml>\n',
      { ...head('text'), Content: 'a' },
    ],
  ])('is written again with %s', (_, xml, expected) => {
    expect(rewrite(xml)).toEqual(expected);
  });

  it.each<[string, string, RegExp]>([
    ['no MsgType', '<xml><Content>a</Content></xml>', /MsgType is missing/],
    ['two of them', '<xml><MsgType>a</MsgType><MsgType>b</MsgType></xml>', /MsgType is missing/],
    ['no content', '<xml><MsgType>text</MsgType></xml>', /Content/],
    [
      'two contents',
      '<xml><MsgType>text</MsgType><Content>a</Content><Content>b</Content></xml>',
      /Content/,
    ],
    ['an end that is missing', '<xml><MsgType>text</MsgType>', /malformed XML/],
    ['a document type', '<!DOCTYPE xml><xml><MsgType>text</MsgType></xml>', /malformed XML/],
    [
      'a news without items',
      '<xml><MsgType>news</MsgType><Articles>a</Articles></xml>',
      /Articles/,
    ],
  ])('is refused with %s', (_, xml, why) => {
    expect(() => rewrite(xml)).toThrow(ReplyInvalidError);
    expect(() => rewrite(xml)).toThrow(why);
  });
});

describe('what is optional', () => {
  it.each<[string, object, string]>([
    ['absent', { Title: 'a' }, '<Title><![CDATA[a]]></Title>'],
    ['null', { Title: null, Url: 'b' }, '<Url><![CDATA[b]]></Url>'],
    [
      'empty',
      { Title: '', PicUrl: 'c' },
      '<Title><![CDATA[]]></Title><PicUrl><![CDATA[c]]></PicUrl>',
    ],
  ])('of an article is sent as it is given: %s', (_, given, expected) => {
    expect(fromJson({ MsgType: 'news', Articles: [given] })).toContain(
      `<ArticleCount>1</ArticleCount><Articles><item>${expected}</item></Articles></xml>`,
    );
  });

  it('is sent as it is given in XML', () => {
    const given = '<item><Description>d</Description><Url/></item>';
    const xml = `<xml><MsgType>news</MsgType><Articles>${given}</Articles></xml>`;
    expect(responderReply(xml, MESSAGE).text).toContain(
      '<item><Description><![CDATA[d]]></Description><Url><![CDATA[]]></Url></item>',
    );
  });

  it.each<[string, object]>([
    ['video', { MsgType: 'video', Video: { MediaId: 'm' } }],
    ['music', { MsgType: 'music', Music: { ThumbMediaId: 'm' } }],
    ['a transfer', { MsgType: 'transfer_customer_service' }],
  ])('of %s may all be absent', (_, reply) => {
    const { MsgType, ...content } = reply as { MsgType: string };
    expect(fields(fromJson(reply))).toEqual({ ...head(MsgType), ...content });
    const nulls = { Title: null, Description: null, TransInfo: null };
    expect(fromJson({ ...reply, ...nulls })).toBe(fromJson(reply));
  });
});

describe('a text that is too long', () => {
  it('is cut at the end of a character, and the rest is kept', () => {
    const content = '内'.repeat(681) + '👨‍👩‍👧' + 'b'.repeat(100_000);
    const reply = responderReply(JSON.stringify({ MsgType: 'text', Content: content }), MESSAGE);
    expect(fields(reply.text)).toMatchObject({ Content: '内'.repeat(681) });
    expect(reply).toMatchObject({ content, rest: content.slice(681), kind: 'message' });
  });

  it('of the longest length that fits leaves nothing', () => {
    const content = '内'.repeat(682) + 'a';
    const reply = responderReply(JSON.stringify({ MsgType: 'text', Content: content }), MESSAGE);
    expect(reply).toEqual({ text: reply.text, content, kind: 'message' });
  });
});

describe('a reply to a push that is JSON', () => {
  const ofJson = (answer: string): unknown =>
    JSON.parse(responderReply(answer, toJson(MESSAGE)).text);
  const jsonHead = (type: string): object => ({ ...head(type), CreateTime: HEAD.createTime });

  it.each(passiveReplyExamples.map((example) => [example.MsgType, example] as const))(
    'of type %s has all its fields',
    (type, example) => {
      const count = 'Articles' in example ? { ArticleCount: example.Articles.length } : {};
      expect(ofJson(JSON.stringify(example))).toEqual({ ...jsonHead(type), ...count, ...example });
    },
  );

  it.each<[string, string, object]>([
    [
      'XML',
      '<xml><MsgType>text</MsgType><Content>1</Content></xml>',
      { ...jsonHead('text'), Content: '1' },
    ],
    [
      'a type that the hub does not know',
      '{"MsgType":"hardware","HardWare":{"n":1},"ToUserName":"x","CreateTime":0}',
      { ...jsonHead('hardware'), HardWare: { n: 1 } },
    ],
    [
      'such a type in XML',
      '<xml><MsgType>hardware</MsgType><n>1</n><t><![CDATA[2]]></t></xml>',
      { ...jsonHead('hardware'), n: 1, t: '2' },
    ],
  ])('may come as %s', (_, answer, expected) => {
    expect(ofJson(answer)).toEqual(expected);
  });
});

describe('a result', () => {
  const LONG_ID = '37051150584712089280000';

  it.each<[string, string, string]>([
    [
      'a few fields',
      '{"ErrCode":0,"ErrMsg":"ok"}',
      '<ErrCode>0</ErrCode><ErrMsg><![CDATA[ok]]></ErrMsg>',
    ],
    ['long and other numbers', `{"a":${LONG_ID},"b":-1.50}`, `<a>${LONG_ID}</a><b>-1.50</b>`],
    ['fields within fields', '{"r":{"c":1}}', '<r><c>1</c></r>'],
    ['a list', '{"l":[1,"b"]}', '<l>1</l><l><![CDATA[b]]></l>'],
    ['digits that are text', '{"a":"07"}', '<a><![CDATA[07]]></a>'],
    ['the end of CDATA', '{"a":"]]>"}', '<a><![CDATA[]]]]><![CDATA[>]]></a>'],
    ['an empty text', '{"a":""}', '<a><![CDATA[]]></a>'],
    ['a name of JavaScript', '{"__proto__":{"a":1}}', '<__proto__><a>1</a></__proto__>'],
    [
      'what looks like a number',
      '{"x":{"isLosslessNumber":true,"value":"<"}}',
      '<x><isLosslessNumber>true</isLosslessNumber><value><![CDATA[<]]></value></x>',
    ],
  ])('in JSON is as it is to JSON, and XML to XML: %s', (_, json, xml) => {
    expect(responderReply(json, toJson(EVENT))).toEqual({ text: json, kind: 'result' });
    expect(responderReply(json, EVENT)).toEqual({ text: `<xml>${xml}</xml>`, kind: 'result' });
  });

  it.each<[string, string, string]>([
    ['a few fields', '<ErrCode>0</ErrCode><ErrMsg>ok</ErrMsg>', '{"ErrCode":0,"ErrMsg":"ok"}'],
    ['text in CDATA', '<a><![CDATA[07 <b>1</b>]]></a>', '{"a":"07 <b>1</b>"}'],
    ['digits in CDATA', '<a><![CDATA[7]]></a><b> 7 </b>', '{"a":"7","b":7}'],
    [
      'no canonical number',
      '<a>007</a><b>1e3</b><c>+1</c><d>.5</d>',
      '{"a":"007","b":"1e3","c":"+1","d":".5"}',
    ],
    ['long and other numbers', `<a>${LONG_ID}</a><b>-1.50</b>`, `{"a":${LONG_ID},"b":-1.50}`],
    ['fields within fields', ' <r>\n<c>1</c> <d/> </r> ', '{"r":{"c":1,"d":""}}'],
    ['a list', '<l>1</l><l>b</l>', '{"l":[1,"b"]}'],
    ['a comment', '<!-- <a>2</a> --><a>1</a>', '{"a":1}'],
  ])('in XML is as it is to XML, and JSON to JSON: %s', (_, inner, json) => {
    const xml = `<xml>${inner}</xml>`;
    const declared = `<?xml version="1.0" encoding="GBK"?>\n${xml}`;
    expect(responderReply(declared, EVENT)).toEqual({ text: xml, kind: 'result' });
    expect(responderReply(xml, toJson(EVENT))).toEqual({ text: json, kind: 'result' });
  });

  it.each<[string, string, 'xml' | 'json', RegExp]>([
    ['null', '{"a":null}', 'xml', /no form for null/],
    ['an empty list', '{"a":[]}', 'xml', /empty list/],
    ['a list in a list', '{"a":[[1]]}', 'xml', /list in a list/],
    ['a name that XML has not', '{"a b":1}', 'xml', /name that is none/],
    ['a character that XML has not', '{"a":"\\u0007"}', 'xml', /character/],
    ['a character that XML has not, in XML', '<xml><a>\u0007</a></xml>', 'xml', /character/],
    ['an attribute', '<xml><a b="c">1</a></xml>', 'json', /attributes/],
    ['text between elements', '<xml><a>x<b>1</b></a></xml>', 'json', /between elements/],
    ['text behind an element', '<xml><a><b>1</b>x</a></xml>', 'json', /between elements/],
    ['a number that is text as well', '<xml><a>1</a><a><![CDATA[1]]></a></xml>', 'json', /number/],
    ['no field', '{}', 'json', /no field/],
    ['no field in XML', '<xml></xml>', 'xml', /no field/],
    ['more than 32 KiB', `{"a":"${'x'.repeat(33_000)}"}`, 'json', /32768/],
    ['nesting without end', '{"a":'.repeat(50_000), 'json', /too deep|malformed|too many fields/],
    ['two roots', '<xml><a>1</a></xml><xml/>', 'xml', /malformed XML/],
    ['another root', '<?xml version="1.0"?><html/>', 'xml', /HTML/],
    ['something behind it', '{"a":1} x', 'json', /malformed JSON/],
    ['a document type', '<!DOCTYPE x><xml><a>1</a></xml>', 'xml', /malformed XML/],
    ['its type as a number', '{"MsgType":1}', 'xml', /MsgType is missing/],
  ])('is refused with %s', (_, answer, format, why) => {
    const read = (): unknown => responderReply(answer, { ...EVENT, format });
    expect(read).toThrow(ReplyInvalidError);
    expect(read).toThrow(why);
  });

  it('is none for the message of a user', () => {
    expect(() => responderReply('{"ErrCode":0}', MESSAGE)).toThrow('MsgType is missing');
    expect(() => responderReply('{"ErrCode":0}', toJson(MESSAGE))).toThrow('MsgType is missing');
  });

  it('needs nobody whom it is for', () => {
    const nobody = { ...EVENT, head: nobodyKnown };
    expect(responderReply('{"a":1}', nobody).text).toBe('<xml><a>1</a></xml>');
    expect(() => responderReply('{"MsgType":"text","Content":"a"}', nobody)).toThrow('nobody');
  });
});

function nobodyKnown(): never {
  throw new ReplyInvalidError('nobody');
}

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing was thrown';
}

function article(x = 'a'): Record<string, string> {
  return { Title: x, Description: x, PicUrl: x, Url: x };
}

function items(x: string): string {
  return `<Title>${x}</Title><Description>${x}</Description><PicUrl>${x}</PicUrl><Url>${x}</Url>`;
}
