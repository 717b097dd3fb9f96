import { describe, expect, it } from 'vitest';
import { readPushText } from './push-text.js';

const message = (content: string): string =>
  `<xml><ToUserName><![CDATA[gh_0]]></ToUserName><MsgType><![CDATA[text]]></MsgType>${content}</xml>`;
const HEAD = { ToUserName: 'gh_0', MsgType: 'text' };

const SPACED = '<A> <![CDATA[x]]></A>';

describe('a well-formed text of a push is read as every parser reads it, beside', () => {
  it.each([
    [
      'a quoted end of a tag in the root',
      `<xml a='/>'>${SPACED}<B>1</B></xml>`,
      { A: 'x', B: '1' },
    ],
    ['a quoted end of a tag', `<xml>${SPACED}<C a='1>2'>y</C></xml>`, { A: 'x', C: 'y' }],
    ['a root with a prefix', `<w:xml><AppId/>${SPACED}</w:xml>`, { AppId: '', A: 'x' }],
    [
      'a field with a prefix',
      `<xml>${SPACED}<P><w:b>1</w:b></P></xml>`,
      { A: 'x', P: { 'w:b': '1' } },
    ],
    ['CDATA within a text', `<xml>${SPACED}<B>a<![CDATA[b]]>c</B></xml>`, { A: ' x', B: 'abc' }],
    [
      'a comment before CDATA',
      `<xml>${SPACED}<B><!--c--><![CDATA[b]]></B></xml>`,
      { A: ' x', B: 'b' },
    ],
    ['a comment with a tag before the root', `<!--<B/>--><xml>${SPACED}</xml>`, { A: 'x' }],
    [
      'a long name',
      `<xml>${SPACED}<P><${'n'.repeat(70)}>1</${'n'.repeat(70)}></P></xml>`,
      { A: 'x', P: { ['n'.repeat(70)]: '1' } },
    ],
  ])('a spaced CDATA with %s', (_, text, fields) => {
    const { fields: read, problem } = readPushText(text);
    expect(JSON.parse(JSON.stringify(read))).toEqual(fields);
    expect(problem).toBeNull();
  });

  it.each([
    ['a comment behind the root', `<xml a='/>'><A>1</A></xml><!---->`],
    ['text before the root', `x<xml><A>1</A></xml>`],
    ['a root that is none', `<1><A/><B>1</B></1>`],
    ['markup in a text', `<xml><A>a<b</A><B>]]></B></xml><`],
  ])('and never without a problem where it may be read otherwise: %s', (_, text) => {
    expect(readPushText(text).problem).not.toBeNull();
  });
});

describe('the text of a push', () => {
  it.each([
    [
      'CDATA that contains its own end',
      '<Content><![CDATA[a]]>b]]></Content>',
      { Content: 'a]]>b' },
    ],
    ['CDATA that is its own end', '<Content><![CDATA[]]>]]></Content>', { Content: ']]>' }],
    [
      'CDATA ends before and behind',
      '<Content><![CDATA[]]>a]]>]]></Content>',
      { Content: ']]>a]]>' },
    ],
    [
      'CDATA that was split well',
      '<Content><![CDATA[a]]]]><![CDATA[>b]]></Content>',
      { Content: 'a]]>b' },
    ],
    [
      'a field behind such CDATA',
      '<Content><![CDATA[a]]>b]]></Content><MsgId>1</MsgId>',
      { Content: 'a]]>b', MsgId: '1' },
    ],
    ['tags in such CDATA', '<Content><![CDATA[<b>]]></b>]]></Content>', { Content: '<b>]]></b>' }],
    ['space around CDATA', '<Content> <![CDATA[a]]>\n</Content>', { Content: 'a' }],
    [
      'space around CDATA in a list',
      '<L><I>\n<![CDATA[a]]></I><I><![CDATA[ b ]]> </I></L>',
      { L: { I: ['a', ' b '] } },
    ],
    [
      'control characters',
      '<Content><![CDATA[a\u0001\u001fb]]></Content>',
      { Content: 'a\u0001\u001fb' },
    ],
    ['NUL', '<Content><![CDATA[a\0b]]></Content>', { Content: 'a\0b' }],
    ['a field twice', '<A>1</A><A>2</A>', { A: ['1', '2'] }],
    ['a bare ampersand', '<Url>a?b=1&c=2</Url>', { Url: 'a?b=1&c=2' }],
    ['a bare less-than', '<Content>a < b</Content>', { Content: 'a < b' }],
    ['an unknown entity', '<Content>a&nbsp;b&lt;</Content>', { Content: 'a&nbsp;b<' }],
    [
      'nested fields beside such CDATA',
      '<I><A>1</A></I><C><![CDATA[]]>x]]></C>',
      { I: { A: '1' }, C: ']]>x' },
    ],
    [
      'a prototype’s names',
      '<__proto__>1</__proto__><constructor>2</constructor>',
      { ['__proto__']: '1', constructor: '2' },
    ],
  ])('is read whole with %s', (_, content, fields) => {
    const read = readPushText(message(content));
    expect({ ...read.fields }).toEqual({ ...HEAD, ...fields });
    expect(read).toMatchObject({ format: 'xml', problem: null });
  });

  it.each([
    ['nothing', '', {}],
    ['a text', 'hello', {}],
    ['no end', message('').slice(0, -6), HEAD],
    ['half a field', message('').slice(0, 60), { ToUserName: 'gh_0' }],
    ['a field without end', message('<A>1<B>2</B>'), { ...HEAD, A: '1', B: '2' }],
    ['CDATA without end', message('<A><![CDATA[1'), { ...HEAD, A: '1</xml>' }],
    ['an end of nothing', message('</A><B>2</B>'), { ...HEAD, B: '2' }],
    ['text between fields', message('x<B>2</B>]]>'), { ...HEAD, B: '2' }],
    ['something behind it', `${message('')}<xml/>`, HEAD],
    [
      'a document type',
      `<!DOCTYPE xml [<!ENTITY e "v">]>${message('<A>&e;</A>')}`,
      { ...HEAD, A: '&e;' },
    ],
    [
      'JSON that ends early',
      '{"MsgType":"text","MsgId":12345678901234567890,"Content":"a',
      { MsgType: 'text', MsgId: '12345678901234567890' },
    ],
    ['JSON with a comma too many', '{"MsgType":"te\\u0078t",}', { MsgType: 'text' }],
    ['JSON with single quotes', "{'MsgType':'text'}", {}],
  ])('is read as far as it goes with %s', (_, text, fields) => {
    const read = readPushText(text);
    expect({ ...read.fields }).toMatchObject(fields);
    expect(read.problem).toMatch(/^(The|A|An|Text|Something) [\w -]+$/);
  });

  it.each([
    ['a control character', '{"Content":"a\nb"}', { Content: 'a\nb' }],
    ['NUL', '{"Content":"a\0b"}', { Content: 'a\0b' }],
    ['a name twice', '{"A":"1","A":2,"A":[3]}', { A: ['1', '2', '3'] }],
    ['a long number', '{"MsgId":12345678901234567890}', { MsgId: '12345678901234567890' }],
  ])('is read whole as JSON with %s', (_, text, fields) => {
    const read = readPushText(text);
    expect({ ...read.fields }).toEqual(fields);
    expect(read).toMatchObject({ format: 'json', problem: null });
  });

  it.each([
    ['unclosed fields', `<xml>${'<a>1'.repeat(200_000)}`],
    [
      'unclosed fields of many names',
      `<xml>${Array.from({ length: 90_000 }, (_, n) => `<a${n}>`).join('')}`,
    ],
    ['unclosed CDATA', `<xml>${'<a><![CDATA['.repeat(80_000)}`],
    ['ends of CDATA', `<xml><a><![CDATA[${']]>'.repeat(330_000)}</xml>`],
    ['ends of CDATA and space', `<xml><a><![CDATA[${`]]>${' '.repeat(500)}`.repeat(2000)}</xml>`],
    ['bare less-than', `<xml>${'<'.repeat(1_000_000)}`],
    ['end tags of others', `<xml><a>${'</b>'.repeat(250_000)}</xml>`],
    ['deep fields', '<a>'.repeat(300_000)],
    ['attributes without end', `<xml ${'a="'.repeat(300_000)}`],
    ['start tags with space', `<xml>${`<a${' '.repeat(1000)}`.repeat(1000)}`],
    ['many fields', `<xml>${'<a>1</a>'.repeat(120_000)}]]></xml>`],
    ['deep JSON', `{"a":${'['.repeat(400_000)}`],
    ['JSON of quotes', `{${'"a":"\\"'.repeat(130_000)}`],
    ['JSON of names', `{${'"a":'.repeat(250_000)}`],
  ])('takes linear time on a megabyte of %s', (_, text) => {
    const started = performance.now();
    expect(readPushText(text).problem).not.toBeNull();
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
