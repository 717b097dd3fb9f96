import type { FakeAccount } from './fake-account.js';

/** What the consent page needs to know. */
export interface ConsentView {
  componentAppid: string;
  /** Carried from the page to its form, as it came. */
  fields: Readonly<Record<string, string>>;
  /** Permission sets to be granted, ids joined with `|`; empty: as before, or the account's own. */
  funcInfo: string;
  accounts: readonly { account: FakeAccount; authorized: boolean }[];
  /** Whether there are more accounts than are shown. */
  more: boolean;
}

const STYLE =
  'body{font:16px sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem}' +
  'button{display:block;width:100%;margin:.5rem 0;padding:.75rem;font:inherit;text-align:left}' +
  'input{font:inherit;width:100%;box-sizing:border-box}small{color:#666}';

/** The page on which a customer picks an account: a plain form with one button per account. */
export function consentHtml(view: ConsentView): string {
  const hidden = Object.entries(view.fields).map(
    ([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`,
  );
  const buttons = view.accounts.map(({ account, authorized }) => {
    const { appid, nickName, kind } = account;
    const note = `${appid}, ${kind.replace('_', ' ')}${authorized ? ', authorized 已授权' : ''}`;
    return (
      `<button type="submit" name="account" value="${escape(appid)}">` +
      `${escape(nickName)}<br><small>${escape(note)}</small></button>`
    );
  });
  return page(
    '授权 Authorize',
    `<p>${escape(view.componentAppid)}</p><form method="post" action="/__sim/consent">` +
      hidden.join('') +
      `<label>权限集 Permission sets (empty: as before, or those of the account) ` +
      `<input name="func_info" value="${escape(view.funcInfo)}" placeholder="1|2|3"></label>` +
      (buttons.join('') || '<p id="none">没有可授权的帐号 No account fits.</p>') +
      (view.more ? '<p>There are more accounts: name one by biz_appid.</p>' : '') +
      '</form>',
  );
}

/** The error page: HTTP 200 and a text, as WeChat's. */
export function refusalHtml(reason: string): string {
  return page('授权失败 Authorization refused', `<p id="reason">${escape(reason)}</p>`);
}

function page(title: string, content: string): string {
  return (
    '<!DOCTYPE html><html lang="zh"><head><meta charset="utf-8">' +
    '<meta name="viewport" content="width=device-width,initial-scale=1">' +
    // Without it a browser asks for /favicon.ico, which would be counted as a call.
    '<link rel="icon" href="data:,">' +
    `<title>${title}</title><style>${STYLE}</style></head>` +
    `<body><h1>${title}</h1>${content}</body></html>`
  );
}

function escape(text: string): string {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replaceAll(/[&<>"']/g, (character) => entities[character as keyof typeof entities]);
}
