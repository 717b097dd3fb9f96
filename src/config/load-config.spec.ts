import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from './load-config.js';
import { variables } from './variables.js';

describe('loadConfig', () => {
  const home = process.cwd();
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hub-config-'));
    for (const name of Object.keys(variables)) vi.stubEnv(name, undefined);
    process.chdir(folder);
  });

  afterEach(() => {
    process.chdir(home);
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it('works without a .env', () => {
    vi.stubEnv('PORT', '4000');
    expect(loadConfig().port).toBe(4000);
  });

  it('reads .env of the working folder, under the environment, which wins', () => {
    writeFileSync(
      '.env',
      'PORT=4000\nLOG_LEVEL=warn\n# HOST=0.0.0.0\nADMIN_TOKEN="fake-quoted-admin-token-1"\n',
    );
    vi.stubEnv('PORT', '5000');
    const config = loadConfig();
    expect(config.port).toBe(5000);
    expect(config.logLevel).toBe('warn');
    expect(config.host).toBe('127.0.0.1');
    expect(config.adminToken?.reveal()).toBe('fake-quoted-admin-token-1');
    expect(process.env.ADMIN_TOKEN).toBeUndefined();
  });

  it('refuses what is wrong in .env', () => {
    writeFileSync('.env', 'PORT=http\n');
    expect(() => loadConfig()).toThrow(/PORT: must be a whole number/);
  });
});
