import type { AuthorizationLinks } from './authorization-link.service.js';

/** Text as HTML, in elements and in quoted attributes. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>
body { font: 16px/1.6 system-ui, sans-serif; margin: 0 auto; padding: 2rem 1rem; max-width: 32rem; color: #222; background: #fff; }
h1 { font-size: 1.4rem; }
p.en, span.en { color: #666; font-size: .9rem; }
span.en { display: block; }
a.button { display: block; margin: 1rem 0; padding: .8rem 1rem; border-radius: .5rem; background: #06ae56; color: #fff; text-align: center; text-decoration: none; }
a.button span.en { color: #e6f7ee; }
a.button:focus-visible { outline: 3px solid #222; }
</style>
</head>
<body>
${body}
</body>
</html>
`;
}

/** The page that the account's administrator clicks on: WeChat wants a click from this domain. */
export function authorizePage(links: AuthorizationLinks): string {
  return page(
    '授权 · Authorize',
    `<h1>授权公众号或小程序</h1>
<p>请使用公众号或小程序的管理员微信完成授权。</p>
<p class="en" lang="en">Authorize an official account or mini program, with its administrator's WeChat.</p>
<a class="button" id="pc" href="${escapeHtml(links.pc)}">电脑上扫码授权<span class="en" lang="en">On a computer: scan a QR code</span></a>
<a class="button" id="h5" href="${escapeHtml(links.h5)}">在手机微信中授权<span class="en" lang="en">On a phone, in WeChat</span></a>
<p>链接只能使用一次；若已过期，请刷新本页。</p>
<p class="en" lang="en">Each link works once. If it has expired, reload this page.</p>`,
  );
}

/** The end of an authorization that was not begun by a page of the company's own. */
export function authorizedPage(name: string): string {
  return page(
    '授权成功 · Authorized',
    `<h1 id="result" data-result="authorized">授权成功</h1>
<p>${escapeHtml(name)}</p>
<p class="en" lang="en">Authorized. You may close this page.</p>`,
  );
}

/**
 * An authorization that did not come about, or not yet, with the code of the error and the id for
 * support.
 */
export function unfinishedPage(result: 'pending' | 'failed', code: string, id: string): string {
  if (result === 'pending') {
    return page(
      '正在处理 · In progress',
      `<h1 id="result" data-result="pending">正在处理</h1>
<p>授权正在处理中，稍后生效，可以关闭本页。</p>
<p class="en" lang="en">The authorization is being processed. You may close this page.</p>
<p class="en">${escapeHtml(code)} · ${escapeHtml(id)}</p>`,
    );
  }
  return page(
    '授权未完成 · Not authorized',
    `<h1 id="result" data-result="failed">授权未完成</h1>
<p>请返回重新授权。</p>
<p class="en" lang="en">Not authorized. Please go back and try again.</p>
<p class="en">${escapeHtml(code)} · ${escapeHtml(id)}</p>`,
  );
}
