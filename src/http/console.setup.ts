import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, extname, join, sep } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HubError } from '../common/hub-error.js';
import { wantsPage } from './error-page.js';
import type { HubErrorFilter } from './hub-error.filter.js';
import { STRICT_POLICY } from './html-page.js';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const POLICY = [
  ...STRICT_POLICY,
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
].join('; ');
const PAGE = 'index.html';
/** Files whose names change with their content. */
const HASHED = 'assets/';
const MISSING =
  'The console is not part of this build: `npm run build` makes it, in dist/console.\n' +
  '此版本不包含控制台：请运行 npm run build，将在 dist/console 中生成。\n';

/**
 * Serves the web console at `/console`, and leads browsers there from `/`. Its files are public; what
 * they show comes from `/admin`. Every path below it that is no file is the console's page, which
 * knows what the path means.
 */
export function useConsole(
  fastify: FastifyInstance,
  filter: HubErrorFilter,
  folder = builtConsole(),
): void {
  const files = filesOf(folder);
  const isUnknown = (request: FastifyRequest, reply: FastifyReply): void => {
    const error = new HubError('not_found', 'There is no such route', { status: 404 });
    filter.refuse(error, request, reply);
  };
  fastify.get('/', (request, reply) => {
    if (!wantsPage(request)) return isUnknown(request, reply);
    // Relative: a proxy may have the hub below a path of its own.
    void reply.redirect('console', 302);
  });
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { '*': wanted = '' } = request.params as { '*'?: string };
    if (!files.has(PAGE)) return reply.status(404).type('text/plain; charset=utf-8').send(MISSING);
    if (wanted.startsWith(HASHED) && !files.has(wanted)) {
      isUnknown(request, reply);
      return reply;
    }
    const name = files.has(wanted) ? wanted : PAGE;
    const isZipped =
      files.has(`${name}.gz`) && /\bgzip\b/.test(String(request.headers['accept-encoding']));
    void reply.headers({
      'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
      'cache-control': name.startsWith(HASHED) ? 'public, max-age=31536000, immutable' : 'no-store',
      'content-security-policy': POLICY,
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      vary: 'accept-encoding',
      ...(isZipped && { 'content-encoding': 'gzip' }),
    });
    return reply.send(await readFile(join(folder, isZipped ? `${name}.gz` : name)));
  };
  fastify.get('/console', answer);
  fastify.get('/console/*', answer);
}

/** Below the folder of package.json, wherever this file was compiled or bundled to. */
function builtConsole(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) {
    folder = dirname(folder);
  }
  return join(folder, 'dist/console');
}

/** Names below the folder, as addresses have them: what is not among them is not read. */
function filesOf(folder: string): Set<string> {
  if (!existsSync(folder)) return new Set();
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return new Set(names.filter((name) => extname(name)).map((name) => name.split(sep).join('/')));
}
