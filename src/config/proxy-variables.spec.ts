import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError, parseConfig } from './app-config.js';
import { loadConfig } from './load-config.js';

describe('the variables of proxies', () => {
  it.each([
    ['http://proxy.internal:3128', 'http://proxy.internal:3128'],
    ['proxy.internal:3128', 'http://proxy.internal:3128'],
    ['hub:fake%40password@10.0.0.7:3128', 'http://hub:fake%40password@10.0.0.7:3128'],
    ['https://[2001:db8::7]/', 'https://[2001:db8::7]/'],
  ])('take %s', (value, url) => {
    expect(parseConfig({ HTTPS_PROXY: value }).proxies.https?.reveal()).toBe(url);
  });

  it.each([
    'socks5://proxy.internal:1080',
    'http://',
    'http://proxy.internal:3128/path',
    'http://proxy.internal:3128?x',
    'http://hub:fake%password@proxy.internal',
    'http://hub:fake#password@proxy.internal',
    'http://proxy.internal:port',
    'proxy internal',
  ])('refuse %s, without repeating it', (value) => {
    let refusal: unknown;
    try {
      parseConfig({ HTTPS_PROXY: value });
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(ConfigError);
    const { message } = refusal as ConfigError;
    expect(message).toMatch(/HTTPS_PROXY: must be http:\/\/user:password@host:port/);
    expect(message).not.toMatch(/fake[%#]password/);
  });

  it('have one for all schemes behind those for each', () => {
    const { proxies } = parseConfig({ ALL_PROXY: 'all.example', HTTP_PROXY: 'plain.example' });
    expect([proxies.https?.reveal(), proxies.http?.reveal()]).toEqual([
      'http://all.example',
      'http://plain.example',
    ]);
    expect(JSON.stringify(proxies)).not.toContain('example');
  });
});

describe('the variables of proxies in small letters', () => {
  const before = process.cwd();
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hub-proxies-'));
    process.chdir(folder);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    process.chdir(before);
    rmSync(folder, { recursive: true });
  });

  const httpsProxy = (): string | undefined => loadConfig().proxies.https?.reveal();

  it('win, unless they are empty', () => {
    vi.stubEnv('HTTPS_PROXY', 'large.example');
    vi.stubEnv('https_proxy', '');
    expect(httpsProxy()).toBe('http://large.example');
    vi.stubEnv('https_proxy', 'small.example');
    vi.stubEnv('no_proxy', '*');
    expect(httpsProxy()).toBe('http://small.example');
    expect(loadConfig().proxies.noProxy).toBe('*');
  });

  it('of .env are under those of the environment, in whatever letters', () => {
    writeFileSync('.env', 'https_proxy=file.example\n');
    vi.stubEnv('HTTPS_PROXY', undefined);
    vi.stubEnv('https_proxy', undefined);
    expect(httpsProxy()).toBe('http://file.example');
    vi.stubEnv('HTTPS_PROXY', 'large.example');
    expect(httpsProxy()).toBe('http://large.example');
  });
});
