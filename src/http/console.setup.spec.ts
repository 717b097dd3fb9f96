import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { fastify } from 'fastify';
import { expect, it } from 'vitest';
import { useConsole } from './console.setup.js';
import type { HubErrorFilter } from './hub-error.filter.js';

it('serves the files that it was started with, whatever becomes of the folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'console-'));
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<p>first</p>');
  writeFileSync(join(folder, 'assets/page-1.js'), 'first()');
  writeFileSync(join(folder, 'assets/page-1.js.gz'), gzipSync('first()'));
  const server = fastify();
  const filter = { refuse: (_, __, reply) => void reply.status(404).send() } as HubErrorFilter;
  useConsole(server, filter, folder);
  rmSync(folder, { recursive: true });
  const get = (url: string, headers = {}) => server.inject({ url, headers });

  expect((await get('/console')).body).toBe('<p>first</p>');
  expect((await get('/console/accounts')).body).toBe('<p>first</p>');
  const plain = await get('/console/assets/page-1.js');
  expect([plain.body, plain.headers['content-encoding']]).toEqual(['first()', undefined]);
  const zipped = await get('/console/assets/page-1.js', { 'accept-encoding': 'br, gzip' });
  expect(zipped.headers['content-encoding']).toBe('gzip');
  expect(zipped.rawPayload).toEqual(gzipSync('first()'));
  expect((await get('/console/assets/page-2.js')).statusCode).toBe(404);
  await server.close();
});
