import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

/** A text in the two languages that every page has. */
interface Text {
  zh: string;
  en: string;
}
export type Language = keyof Text;

/** Chinese and English as `lang` attributes name them. */
const LANG: Text = { zh: 'zh-CN', en: 'en' };

const STYLE = `
:root { color-scheme: light dark; --text: #1a1a1a; --faint: #5f6368; --page: #f5f6f7; --card: #fff; --line: #c9cdd2; --accent: #067a43; --on-accent: #fff; }
@media (prefers-color-scheme: dark) { :root { --text: #ececec; --faint: #a6abb1; --page: #121314; --card: #1e2022; --line: #4a4f55; --accent: #3ecf83; --on-accent: #06210f; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: flex; align-items: center; justify-content: center; padding: 1rem; font: 16px/1.6 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif; color: var(--text); background: var(--page); }
main { width: 100%; max-width: 28rem; padding: 1.75rem 1.5rem; border-radius: .75rem; background: var(--card); overflow-wrap: anywhere; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; line-height: 1.35; }
p { margin: 0 0 1rem; }
.other { display: block; font-size: .875rem; font-weight: normal; color: var(--faint); }
.code { font-size: .8rem; color: var(--faint); }
.button { display: block; margin-bottom: 1rem; padding: .8rem 1rem; border: 1px solid var(--line); border-radius: .5rem; text-align: center; text-decoration: none; color: inherit; }
.button.first { border-color: var(--accent); background: var(--accent); color: var(--on-accent); font-weight: 600; }
.button.first .other { color: inherit; }
.button:hover { filter: brightness(.94); }
.button:focus-visible { outline: 3px solid var(--text); outline-offset: 2px; }
main > :last-child { margin-bottom: 0; }
`;

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  vary: 'accept-language, user-agent',
  // WeChat looks at the domain that a click comes from; what else the address says is not for it.
  'referrer-policy': 'origin',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
};

/** Answers with a page. */
export function sendPage(reply: FastifyReply, status: number, html: string): void {
  void reply.status(status).headers(HEADERS).send(html);
}

/** The first of the two languages that `Accept-Language` names; Chinese where it names neither. */
export function preferredLanguage(acceptLanguage = ''): Language {
  const wanted = acceptLanguage.split(',').map((entry) => {
    const [tag = '', ...parameters] = entry
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/);
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    return { tag: tag.split('-')[0], weight: weight ? Number(weight.slice(2)) : 1 };
  });
  const [best] = wanted
    .filter(({ tag, weight }) => (tag === 'zh' || tag === 'en') && weight > 0)
    .toSorted((a, b) => b.weight - a.weight);
  return best?.tag === 'en' ? 'en' : 'zh';
}

/** The page that the account's administrator clicks on: WeChat wants a click from this domain. */
export function authorizePage(
  language: Language,
  hrefs: { pc: string; h5: string },
  onPhone: boolean,
): string {
  const say = speaker(language);
  const ways: { id: 'pc' | 'h5'; text: Text }[] = [
    { id: 'pc', text: { zh: '在电脑上：扫二维码授权', en: 'On a computer: scan a QR code' } },
    { id: 'h5', text: { zh: '在手机上：在微信中授权', en: 'On a phone: within WeChat' } },
  ];
  const buttons = (onPhone ? ways.toReversed() : ways).map(({ id, text }, index) => {
    const look = index === 0 ? 'button first' : 'button';
    return `<a class="${look}" id="${id}" href="${escapeHtml(hrefs[id])}">${say(text)}</a>`;
  });
  return page(
    language,
    { zh: '微信账号授权', en: 'Authorize a WeChat account' },
    say.paragraph({
      zh: '请由公众号或小程序的管理员，使用其微信完成授权。',
      en: 'For the administrator of the official account or mini program, with their WeChat.',
    }) +
      buttons.join('\n') +
      say.paragraph({
        zh: '如微信提示链接已失效，请返回本页，重新点击。',
        en: 'If WeChat says that the link has expired, come back to this page and click again.',
      }),
  );
}

/** For a link of the page that was opened from elsewhere: WeChat would refuse it. */
export function strayPage(language: Language, pageUrl: string): string {
  const say = speaker(language);
  return page(
    language,
    { zh: '请从授权页进入', en: 'Please start on the authorization page' },
    say.paragraph({
      zh: '微信要求从授权页点击进入，链接不能单独打开或转发。',
      en: 'WeChat wants a click on the authorization page: its links do not work when opened or shared alone.',
    }) +
      `<a class="button first" id="start" href="${escapeHtml(pageUrl)}">` +
      `${say({ zh: '打开授权页', en: 'Open the authorization page' })}</a>`,
  );
}

/** The end of an authorization that was not begun by a page of the company's own. */
export function authorizedPage(language: Language, appid: string): string {
  const say = speaker(language);
  return page(
    language,
    { zh: '授权成功', en: 'Authorized' },
    say.paragraph({ zh: '可以关闭本页。', en: 'You may close this page.' }) +
      `<p class="code">${escapeHtml(appid)}</p>`,
    'authorized',
  );
}

const UNFINISHED = {
  pending: {
    title: { zh: '正在处理', en: 'In progress' },
    text: {
      zh: '授权正在处理中，稍后生效，可以关闭本页。',
      en: 'The authorization is being processed. You may close this page.',
    },
  },
  failed: {
    title: { zh: '授权未完成', en: 'Not authorized' },
    text: { zh: '请返回授权页，重新授权。', en: 'Please go back and authorize again.' },
  },
};

/** An authorization that did not come about, or not yet; the id is for support. */
export function unfinishedPage(
  language: Language,
  result: keyof typeof UNFINISHED,
  code: string,
  id: string,
): string {
  const { title, text } = UNFINISHED[result];
  return page(language, title, troubleText(language, text, code, id), result);
}

const REFUSED = {
  busy: {
    title: { zh: '操作过于频繁', en: 'Too many requests' },
    text: { zh: '请稍候一分钟，再返回重试。', en: 'Please wait a minute, go back and try again.' },
  },
  invalid: {
    title: { zh: '链接无效', en: 'This link is not valid' },
    text: {
      zh: '请向提供链接的平台索取新的链接，并告知以下编号。',
      en: 'Please ask whoever gave you the link for another one, and tell them the number below.',
    },
  },
  unavailable: {
    title: { zh: '暂时无法授权', en: 'Authorization is not available' },
    text: {
      zh: '请稍后重试；如仍不行，请将以下编号告知为您服务的平台。',
      en: 'Please try again later. If it stays so, tell your service provider the number below.',
    },
  },
};

/** For a request that is answered with an error of this status; the id is for support. */
export function refusedPage(language: Language, status: number, code: string, id: string): string {
  const reason = status === 429 ? 'busy' : status < 500 ? 'invalid' : 'unavailable';
  const { title, text } = REFUSED[reason];
  return page(language, title, troubleText(language, text, code, id));
}

function troubleText(language: Language, text: Text, code: string, id: string): string {
  const facts = `<p class="code">${escapeHtml(code)}<br>${escapeHtml(id)}</p>`;
  return speaker(language).paragraph(text) + facts;
}

/** Both languages of a text, the reader's own first. */
function speaker(language: Language): { (text: Text): string; paragraph(text: Text): string } {
  const other = language === 'zh' ? 'en' : 'zh';
  const say = (text: Text): string =>
    `${escapeHtml(text[language])}` +
    `<span class="other" lang="${LANG[other]}">${escapeHtml(text[other])}</span>`;
  return Object.assign(say, { paragraph: (text: Text) => `<p>${say(text)}</p>\n` });
}

function page(language: Language, title: Text, body: string, result?: string): string {
  const mark = result === undefined ? '' : ` id="result" data-result="${result}"`;
  return `<!doctype html>
<html lang="${LANG[language]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<link rel="icon" href="data:,">
<title>${escapeHtml(title[language])}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1${mark}>${speaker(language)(title)}</h1>
${body}
</main>
</body>
</html>
`;
}

/** Text as HTML, in elements and in quoted attributes. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
