import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HubError } from '../common/hub-error.js';
import {
  escapeHtml,
  htmlPage,
  preferredLanguage,
  sendPage,
  speaker,
  type Language,
  type Text,
} from './html-page.js';

/** Addresses that people open: what goes wrong there is said by a page. */
const PAGES = /^\/authorize(?:\/|$)/i;
/** Addresses that only programs call, whatever they say that they read. */
const INTERFACES = /^\/(?:admin|api|callback|health|metrics|docs-json|docs-yaml)(?:\/|$)/i;

/** Whether it is a person who reads the answer. */
export function wantsPage(request: FastifyRequest): boolean {
  const path = request.raw.url?.split('?')[0] ?? '';
  const accept = request.headers.accept ?? '';
  const html = /\btext\/html\b/i.test(accept);
  if (PAGES.test(path) || PAGES.test(request.routeOptions?.url ?? '')) {
    return html || !/\bapplication\/(?:[\w.-]+\+)?json\b/i.test(accept);
  }
  return html && !INTERFACES.test(path);
}

/** Answers an error with a page. */
export function sendErrorPage(error: HubError, id: string, reply: FastifyReply): void {
  const language = preferredLanguage(reply.request.headers['accept-language']);
  sendPage(reply, error.status, refusedPage(language, error.status, error.code, id));
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
      en: 'Please ask your service provider for another link, and tell them the number below.',
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
function refusedPage(language: Language, status: number, code: string, id: string): string {
  const reason = status === 429 ? 'busy' : status < 500 ? 'invalid' : 'unavailable';
  const { title, text } = REFUSED[reason];
  return htmlPage(language, title, troubleText(language, text, code, id));
}

/** A text, and the code and id that support asks for. */
export function troubleText(language: Language, text: Text, code: string, id: string): string {
  const facts = `<p class="code">${escapeHtml(code)}<br>${escapeHtml(id)}</p>`;
  return speaker(language).paragraph(text) + facts;
}
