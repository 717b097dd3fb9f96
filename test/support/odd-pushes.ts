import { COMPONENT } from './fake-settings.js';
import { USER, USER_NAME } from './message-pushes.js';

/** A push whose text is not what the documents promise. */
export interface OddPush {
  url: 'events' | 'messages';
  text: string;
}

const FIELDS: Record<string, string> = {
  /** First, so that no two texts are the same, wherever they are cut off. */
  n: '',
  ToUserName: USER_NAME,
  FromUserName: USER,
  CreateTime: '',
  MsgType: 'text',
  Content: '',
  MsgId: '',
};
/** What users type, and what breaks documents. */
const CONTENTS = [
  'a]]>b',
  ']]>',
  ']]>]]>',
  '<b>]]></b>',
  ']]></Contents>',
  'tab\tand\nline\r\n',
  '\u0001\u0002\u001f\u007f',
  'nul\0here',
  '\ufffe\uffff',
  '&amp;&lt;&#0;&nbsp;&',
  '你好 👩‍👩‍👧‍👦 \u202e',
  '',
  ' ',
  'x'.repeat(3000),
];
/** Ten ways in which JSON is broken. */
const BROKEN: ((json: string) => string)[] = [
  (json) => json.slice(0, -1),
  (json) => json.slice(0, Math.floor(json.length * 0.9)),
  (json) => `${json}}`,
  (json) => json.replace('}', ',}'),
  (json) => json.replaceAll('"', "'").replace("'", '"').replace('{"', "{'"),
  (json) => json.replace(':', ''),
  (json) => json.replace(',', ',,'),
  (json) => json.replace('"MsgType"', 'MsgType'),
  (json) => json.replace('{', '{"a":"\\x",'),
  (json) => json.replace('{', '{"a":NaN,'),
];

/** The n-th odd push: every kind in turn, each a push of its own. */
export function oddPush(n: number, nowSeconds: number): OddPush {
  const content = `${n} ${CONTENTS[n % CONTENTS.length]}`;
  const own = { n: String(n), CreateTime: String(nowSeconds), MsgId: `77${n}`, Content: content };
  const fields: Record<string, string> = { ...FIELDS, ...own };
  const kinds: (() => OddPush)[] = [
    () => message(xml(fields)),
    () => message(xml(without(fields, n))),
    () => message(xml(fields).replace('</xml>', `${element('MsgType', 'text')}</xml>`)),
    () => message(xml(fields).replace('<xml>', `<xml>${element('ToUserName', USER_NAME)}`)),
    () => message(xml(fields).slice(0, -(1 + (n % 40)))),
    () => message(xml(fields).replaceAll('><![CDATA[', '>\n <![CDATA[')),
    () => message(JSON.stringify(fields).replaceAll('\\n', '\n').replaceAll('\\t', '\t')),
    () => message(broken(JSON.stringify(fields), n)),
    () => message(content),
    () => message(xml({ AppId: COMPONENT.appid, InfoType: 'a_new_event', n: content })),
    () => ({ url: 'events', text: xml(fields) }),
    () => ({ url: 'events', text: xml({ n: content }) }),
  ];
  return (kinds[n % kinds.length] as () => OddPush)();
}

function message(text: string): OddPush {
  return { url: 'messages', text };
}

function broken(json: string, n: number): string {
  const way = BROKEN[Math.floor(n / 12) % BROKEN.length] as (text: string) => string;
  return way(json);
}

function without(fields: Record<string, string>, n: number): Record<string, string> {
  const names = Object.keys(fields).filter((name) => name !== 'Content' && name !== 'n');
  const left = { ...fields };
  delete left[names[n % names.length] ?? ''];
  return left;
}

/** As a careless sender writes it: nothing in CDATA is looked at. */
function xml(fields: Record<string, string>): string {
  const elements = Object.entries(fields).map(([name, value]) => element(name, value));
  return `<xml>${elements.join('\n')}</xml>`;
}

function element(name: string, value: string): string {
  return `<${name}><![CDATA[${value}]]></${name}>`;
}
