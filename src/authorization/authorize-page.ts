import { troubleText } from '../http/error-page.js';
import { escapeHtml, htmlPage, speaker, type Language, type Text } from '../http/html-page.js';

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
  return htmlPage(
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

/** For a link of the page that was opened from elsewhere, or late: WeChat would refuse it. */
export function strayPage(language: Language, pageUrl: string): string {
  const say = speaker(language);
  return htmlPage(
    language,
    { zh: '请从授权页进入', en: 'Please start on the authorization page' },
    say.paragraph({
      zh: '微信要求从授权页点击进入：链接不能单独打开或转发，且只在短时间内有效。',
      en: 'WeChat wants a click on the authorization page: its links do not work when opened or shared alone, or after some minutes.',
    }) +
      `<a class="button first" id="start" href="${escapeHtml(pageUrl)}">` +
      `${say({ zh: '打开授权页', en: 'Open the authorization page' })}</a>`,
  );
}

/** The end of an authorization that was not begun by a page of the company's own. */
export function authorizedPage(language: Language, appid: string): string {
  const say = speaker(language);
  return htmlPage(
    language,
    { zh: '授权成功', en: 'Authorized' },
    say.paragraph({ zh: '可以关闭本页。', en: 'You may close this page.' }) +
      `<p class="code">${escapeHtml(appid)}</p>`,
    'authorized',
  );
}

/** The browser came back without a code: the administrator gave up. */
export function cancelledPage(language: Language): string {
  const say = speaker(language);
  return htmlPage(
    language,
    { zh: '授权已取消', en: 'Authorization cancelled' },
    say.paragraph({
      zh: '没有授权任何账号。如需授权，请返回授权页，重新点击。',
      en: 'No account was authorized. To authorize one, go back and click again.',
    }),
    'cancelled',
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
  return htmlPage(language, title, troubleText(language, text, code, id), result);
}
