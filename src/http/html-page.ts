import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

/** A text in the two languages that every page has. */
export interface Text {
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

/** What no page of the hub lets a browser do: load, frame, send, or take as something else. */
export const STRICT_POLICY = [
  "default-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
];

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  vary: 'accept, accept-language, user-agent',
  'x-content-type-options': 'nosniff',
  // WeChat looks at the domain that a click comes from; what else the address says is not for it.
  'referrer-policy': 'origin',
  'content-security-policy': [
    ...STRICT_POLICY,
    `style-src ${hashSource(STYLE)}`,
    'img-src data:',
  ].join('; '),
};

/** The source expression that lets one text stand in a page. */
export function hashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

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

/** Both languages of a text, the reader's own first. */
export function speaker(language: Language): {
  (text: Text): string;
  paragraph(text: Text): string;
} {
  const other = language === 'zh' ? 'en' : 'zh';
  const say = (text: Text): string =>
    `${escapeHtml(text[language])}` +
    `<span class="other" lang="${LANG[other]}">${escapeHtml(text[other])}</span>`;
  return Object.assign(say, { paragraph: (text: Text) => `<p>${say(text)}</p>\n` });
}

/** A whole page; `result` is for tests and scripts: how it ended. */
export function htmlPage(language: Language, title: Text, body: string, result?: string): string {
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
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
