import type { SimulatorContext } from './api-route.js';
import { consent, newGrantCode, pushIfTargeted, type Consent } from './authorization-flow.js';
import type { AccountKind, FakeAccount } from './fake-account.js';
import type { FakeComponent } from './fake-component.js';
import type { PageAnswer, PageRequest, PageRoute } from './page-server.js';

/** `expires_in` of the redirect (Authorization_Process_Technical_Description page). Seconds. */
const REDIRECT_EXPIRES_IN = 600;

/** More buttons than this make no page. */
const MAX_BUTTONS = 200;

/** The parameters that go from the page to its form. */
const CARRIED = ['component_appid', 'pre_auth_code', 'redirect_uri', 'auth_type', 'biz_appid'];

/** Kinds of accounts by auth_type; the others (channels, promoters, shops) are not simulated. */
const KINDS: Readonly<Record<string, readonly AccountKind[]>> = {
  1: ['official_account'],
  2: ['mini_program'],
  3: ['official_account', 'mini_program'],
  4: [],
  5: [],
  6: ['official_account', 'mini_program'],
  8: [],
};

/** Says on the page why it cannot go on. */
class PageRefusal extends Error {}

/** A link that was found good. */
interface Visit {
  component: FakeComponent;
  preAuthCode: string;
  redirectUri: URL;
}

function checkLink(params: URLSearchParams, context: SimulatorContext): Visit {
  const component = context.components.find(params.get('component_appid') ?? '');
  if (!component) throw new PageRefusal('component_appid is missing or unknown');
  const preAuthCode = params.get('pre_auth_code') ?? '';
  if (preAuthCode === '') throw new PageRefusal('pre_auth_code is missing');
  const found = context.authorizers.preAuthCodes.look(preAuthCode, context.now());
  if (found.state !== 'valid') throw new PageRefusal(`pre_auth_code is ${found.state}`);
  if (found.value !== component.appid) throw new PageRefusal('pre_auth_code is unknown');
  const redirectUri = params.get('redirect_uri') ?? '';
  if (redirectUri === '') throw new PageRefusal('redirect_uri is missing');
  if (!/^https?:/.test(redirectUri) || !URL.canParse(redirectUri)) {
    throw new PageRefusal('redirect_uri is not a URL');
  }
  return { component, preAuthCode, redirectUri: new URL(redirectUri) };
}

/** The page must be reached by a click from a page on redirect_uri's host. */
function checkReferer(referer: string | undefined, redirectUri: URL): void {
  const host = referer !== undefined && URL.canParse(referer) ? new URL(referer).host : null;
  if (host === redirectUri.host) return;
  throw new PageRefusal(
    `the page must be opened by a click on ${redirectUri.host}, ` +
      (host === null ? 'but the request has no Referer' : `not on ${host}`),
  );
}

/** The accounts to choose from: only `biz_appid`, else all that fit `auth_type`. */
function choices(params: URLSearchParams, { authorizers }: SimulatorContext): FakeAccount[] {
  const only = params.get('biz_appid');
  if (only) {
    const account = authorizers.accounts.get(only);
    if (!account) throw new PageRefusal(`biz_appid ${only} is unknown`);
    return [account];
  }
  const kinds = KINDS[params.get('auth_type') || '3'];
  if (!kinds) throw new PageRefusal('auth_type is none of 1, 2, 3, 4, 5, 6, 8');
  const fitting: FakeAccount[] = [];
  for (const account of authorizers.accounts.values()) {
    if (kinds.includes(account.kind)) fitting.push(account);
    if (fitting.length > MAX_BUTTONS) break;
  }
  return fitting;
}

function showConsent({ query, referer }: PageRequest, context: SimulatorContext): PageAnswer {
  const { component, redirectUri } = checkLink(query, context);
  const { authorizers } = context;
  if (authorizers.settings.checkReferer) checkReferer(referer, redirectUri);
  const accounts = choices(query, context);
  const fields = Object.fromEntries(CARRIED.map((name) => [name, query.get(name) ?? '']));
  return {
    html: consentHtml({
      componentAppid: component.appid,
      fields,
      funcInfo: query.get('category_id_list') ?? '',
      more: accounts.length > MAX_BUTTONS,
      accounts: accounts.slice(0, MAX_BUTTONS).map((account) => ({
        account,
        authorized: authorizers.find(component.appid, account.appid)?.authorized === true,
      })),
    }),
  };
}

/** The form: authorizes, and sends redirect and event in the order that is set up. */
async function takeConsent({ form }: PageRequest, context: SimulatorContext): Promise<PageAnswer> {
  const { component, preAuthCode, redirectUri } = checkLink(form, context);
  const { authorizers } = context;
  const account = authorizers.accounts.get(form.get('account') ?? '');
  if (!account) throw new PageRefusal('account is missing or unknown');
  const funcInfo = readFuncInfo(form.get('func_info') ?? '');
  authorizers.preAuthCodes.use(preAuthCode);
  const given = consent(context, component, account, { preAuthCode, funcInfo });
  const { eventCode } = authorizers.settings;
  const { code } =
    eventCode === 'same' ? given : newGrantCode(context, given.authorization, REDIRECT_EXPIRES_IN);
  redirectUri.searchParams.set('auth_code', code);
  redirectUri.searchParams.set('expires_in', String(REDIRECT_EXPIRES_IN));
  return sendEvent(context, component, given, redirectUri.href);
}

async function sendEvent(
  context: SimulatorContext,
  component: FakeComponent,
  { event }: Consent,
  redirect: string,
): Promise<PageAnswer> {
  const { eventTiming, eventDelayMs } = context.authorizers.settings;
  // Refused only by a simulator that was stopped meanwhile: then nobody waits for the event.
  const push = () => pushIfTargeted(context, component, event).catch(() => null);
  if (eventTiming === 'event_first') await push();
  if (eventTiming === 'redirect_first') return { redirect, afterwards: () => void push() };
  if (eventTiming !== 'delayed') return { redirect };
  return { redirect, afterwards: () => void setTimeout(() => void push(), eventDelayMs).unref() };
}

/** `1|2|3`; empty: as before, or the account's own. */
function readFuncInfo(text: string): number[] | undefined {
  if (text.trim() === '') return undefined;
  const ids = text.split('|').map(Number);
  if (ids.every((id) => Number.isInteger(id) && id > 0)) return ids;
  throw new PageRefusal('the permission sets are not ids joined with |');
}

/** Turns a refusal into the error page. */
function refusing(handle: PageRoute['handle']): PageRoute['handle'] {
  return async (request, context) => {
    try {
      return await handle(request, context);
    } catch (error) {
      if (error instanceof PageRefusal) return { html: refusalHtml(error.message) };
      throw error;
    }
  };
}

/** The link for phones has two parameters more. */
function showPhoneConsent(request: PageRequest, context: SimulatorContext): PageAnswer {
  const { query } = request;
  if (query.get('action') !== 'bindcomponent' || query.get('no_scan') !== '1') {
    throw new PageRefusal('action=bindcomponent and no_scan=1 are missing');
  }
  return showConsent(request, context);
}

/** The authorization pages: PC, phone, phone at the older path, and the form of all three. */
export const consentPages: PageRoute[] = [
  { method: 'GET', path: '/cgi-bin/componentloginpage', handle: refusing(showConsent) },
  { method: 'GET', path: '/wxaopen/safe/bindcomponent', handle: refusing(showPhoneConsent) },
  { method: 'GET', path: '/safe/bindcomponent', handle: refusing(showPhoneConsent) },
  { method: 'POST', path: '/__sim/consent', handle: refusing(takeConsent) },
];

/** What the consent page needs to know. */
interface ConsentView {
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
function consentHtml(view: ConsentView): string {
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
function refusalHtml(reason: string): string {
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
