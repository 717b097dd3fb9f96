import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, extname, join, sep } from 'node:path';
import { gunzipSync } from 'node:zlib';
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
    const { bytes, isZipped } = files.get(name) as ConsoleFile;
    const takesZipped = /\bgzip\b/.test(String(request.headers['accept-encoding']));
    void reply.headers({
      'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
      'cache-control': name.startsWith(HASHED) ? 'public, max-age=31536000, immutable' : 'no-store',
      'content-security-policy': POLICY,
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      vary: 'accept-encoding',
      ...(isZipped && takesZipped && { 'content-encoding': 'gzip' }),
    });
    return reply.send(isZipped && !takesZipped ? gunzipSync(bytes) : bytes);
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

interface ConsoleFile {
  bytes: Buffer;
  isZipped: boolean;
}

/**
 * The files by their names below the folder, as addresses have them. They are held, a third of a
 * megabyte, so that a hub serves the console that it was started with: a build replaces the folder,
 * and a page that is open asks for more of the files that it came with.
 */
function filesOf(folder: string): Map<string, ConsoleFile> {
  const files = new Map<string, ConsoleFile>();
  if (!existsSync(folder)) return files;
  const names = new Set(readdirSync(folder, { recursive: true, encoding: 'utf8' }));
  for (const name of names) {
    if (!extname(name) || name.endsWith('.gz')) continue;
    const isZipped = names.has(`${name}.gz`);
    const bytes = readFileSync(join(folder, isZipped ? `${name}.gz` : name));
    files.set(name.split(sep).join('/'), { bytes, isZipped });
  }
  return files;
}
