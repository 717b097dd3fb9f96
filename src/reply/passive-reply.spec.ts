import { describe, expect, it } from 'vitest';
import { parseWechatXml } from '../wechat-crypto/wechat-xml.js';
import { passiveReplyExamples } from './passive-reply.js';
import {
  readJsonReply,
  ReplyInvalidError,
  replyXml,
  rewriteXmlReply,
} from './passive-reply-xml.js';

const HEAD = { toUserName: 'oUser', fromUserName: 'gh_account', createTime: 1_735_690_600 };

const fromJson = (value: unknown): string => replyXml(HEAD, readJsonReply(JSON.stringify(value)));
const fields = (xml: string): unknown => JSON.parse(JSON.stringify(parseWechatXml(xml)));
const head = (type: string): object => ({
  ToUserName: 'oUser',
  FromUserName: 'gh_account',
  CreateTime: '1735690600',
  MsgType: type,
});

describe('a reply in JSON', () => {
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
    ['an unknown type', { MsgType: 'carrier_pigeon' }, /MsgType is none of text, image/],
    ['a type of numbers', { MsgType: 1 }, /MsgType is missing/],
    ['no content', { MsgType: 'text' }, /Content/],
    ['an empty content', { MsgType: 'text', Content: '' }, /Content: must not be empty/],
    ['a content of fields', { MsgType: 'text', Content: { a: 1 } }, /Content/],
    ['NUL', { MsgType: 'text', Content: 'a\0b' }, /Content: holds a character/],
    ['a control character', { MsgType: 'text', Content: 'a\u0007' }, /Content: holds a character/],
    ['half a character', { MsgType: 'text', Content: 'a\ud83d' }, /Content: holds a character/],
    ['one byte too many', { MsgType: 'text', Content: '内'.repeat(682) + 'ab' }, /2047 bytes/],
    ['no MediaId', { MsgType: 'image', Image: {} }, /Image.MediaId/],
    ['no articles', { MsgType: 'news', Articles: [] }, /Articles/],
    ['nine articles', { MsgType: 'news', Articles: Array(9).fill(article()) }, /Articles/],
    [
      'too much of everything',
      { MsgType: 'news', Articles: [article('内'.repeat(11_000))] },
      /32768/,
    ],
    ['a list', [{ MsgType: 'text' }], /MsgType is missing/],
    ['nothing', null, /MsgType is missing/],
  ])('is refused with %s', (_, value, why) => {
    expect(() => fromJson(value)).toThrow(ReplyInvalidError);
    expect(() => fromJson(value)).toThrow(why);
  });

  it('is refused without repeating what it holds', () => {
    const secret = 'fake-secret-of-a-user';
    const answers = [
      JSON.stringify({ MsgType: secret }),
      JSON.stringify({ MsgType: 'text', Content: `${secret}\0` }),
      `{"MsgType":"${secret}`,
    ];
    const messages = answers.map((answer) => messageOf(() => readJsonReply(answer)));
    expect(messages.map((message) => message.includes('no passive reply'))).toEqual(
      answers.map(() => true),
    );
    expect(messages.join()).not.toContain(secret);
  });
});

it('a reply in JSON may hold what a user typed as it came: control characters, unescaped', () => {
  const reply = readJsonReply('{"MsgType":"text","Content":"one\n\ttwo"}');
  expect(reply).toEqual({ MsgType: 'text', Content: 'one\n\ttwo' });
});

describe('a reply in XML', () => {
  const rewrite = (xml: string): unknown => fields(rewriteXmlReply(HEAD, xml));

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
  ])('is written anew with %s', (_, xml, expected) => {
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
