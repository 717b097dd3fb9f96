import type { FastifyInstance } from 'fastify';
import { hashSource, STRICT_POLICY } from './html-page.js';

/** The style that Swagger's script brings along, within its logo. */
const DOCS_LOGO = '.logo_small_svg__cls-2{fill:#fff}.logo_small_svg__cls-3{fill:#85ea2d}';
/** Swagger's page: its own scripts and styles, and calls of this server. */
const DOCS = /^\/docs(?:\/|\?|$)/;

/**
 * Gives every HTML answer that has no policy of its own a strict one, so that none is forgotten:
 * nothing is loaded, nothing sent, and nobody may frame it.
 */
export function guardPages(fastify: FastifyInstance): void {
  fastify.addHook('onSend', (request, reply, payload, done) => {
    const type = reply.getHeader('content-type');
    if (/^text\/html\b/i.test(String(type)) && !reply.hasHeader('content-security-policy')) {
      const isDocs = DOCS.test(request.raw.url ?? '');
      void reply.headers({
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'content-security-policy': (isDocs ? docsPolicy(payload) : STRICT_POLICY).join('; '),
      });
    }
    done(null, payload);
  });
}

/** What Swagger's page is made of, and no more: its inline styles are named one by one. */
function docsPolicy(page: unknown): string[] {
  const html = typeof page === 'string' ? page : '';
  const blocks = [...html.matchAll(/<style>([^]*?)<\/style>/g)].map(([, css = '']) => css);
  const attributes = [...html.matchAll(/ style="([^"]*)"/g)].map(([, css = '']) => css);
  const hashes = [...new Set([DOCS_LOGO, ...blocks, ...attributes])].map(hashSource);
  const attributeRule = attributes.length > 0 ? [" 'unsafe-hashes'"] : [];
  return [
    ...STRICT_POLICY,
    "script-src 'self'",
    `style-src 'self' ${hashes.join(' ')}${attributeRule.join('')}`,
    "img-src 'self' data:",
    "connect-src 'self'",
  ];
}
