import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const POLICY =
  "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'";

function findChromium(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'];
  return ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
}

/** Without routes to sign in there is nothing behind the first page. */
const HAS_SESSIONS = readFileSync('docs/openapi.json', 'utf8').includes('"/admin/session"');

let test: TestApp;
beforeAll(async () => {
  test = await createTestApp({ database: 'sqlite' });
  await test.simulator.pushTicket(COMPONENT.appid);
});
afterAll(() => test?.close());

describe('the files of the console', () => {
  it('come with a strict policy; the page uncached, what is named by its content for ever', async () => {
    const page = await test.hub.get('/console');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toBe(POLICY);
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.headers.get('cross-origin-opener-policy')).toBe('same-origin');
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    const [script = ''] = /\/console\/assets\/[^"]+\.js/.exec(page.text) ?? [];
    const { status, headers } = await test.hub.get(script);
    expect([status, headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8']);
    expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(headers.get('content-encoding')).toBe('gzip');
    const plain = await fetch(test.hub.url + script, {
      headers: { 'accept-encoding': 'identity' },
    });
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(await plain.text()).toContain('component');
  });

  it('are the page for every path that is no file, and nothing outside their folder', async () => {
    const page = await test.hub.get('/console/accounts/wx1/wx2');
    expect([page.status, page.headers.get('content-type')]).toEqual([
      200,
      'text/html; charset=utf-8',
    ]);
    expect((await test.hub.get('/console/assets/gone-12345678.js')).status).toBe(404);
    const outside = await test.hub.get('/console/..%2f..%2fpackage.json');
    expect(outside.text).not.toContain('"dependencies"');
  });

  it('are where a browser is led from /; a program is refused as before', async () => {
    const asBrowser = { headers: { accept: 'text/html' }, redirect: 'manual' as const };
    const browser = await fetch(`${test.hub.url}/`, asBrowser);
    expect([browser.status, browser.headers.get('location')]).toEqual([302, 'console']);
    const program = await test.hub.get('/');
    expect([program.status, program.json.error.code]).toEqual([404, 'not_found']);
  });
});

function withBrowser<T>(values: T[]): T[] {
  if (findChromium()) return values;
  if (process.env.REQUIRE_BROWSER === '1') throw new Error('REQUIRE_BROWSER=1, but no chromium');
  console.log('Browser tests skipped: no chromium on this machine');
  return [];
}

interface Look {
  locale: 'zh-CN' | 'en-GB';
  colorScheme: 'light' | 'dark';
  width: 1280 | 375;
}
const LOOKS: Look[] = [
  { locale: 'zh-CN', colorScheme: 'light', width: 1280 },
  { locale: 'zh-CN', colorScheme: 'dark', width: 375 },
  { locale: 'en-GB', colorScheme: 'dark', width: 1280 },
  { locale: 'en-GB', colorScheme: 'light', width: 375 },
];

describe.skipIf(!HAS_SESSIONS).each(withBrowser(['chromium']))('the console in %s', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: findChromium() as string,
      chromiumSandbox: process.getuid?.() !== 0,
      args: [
        '--disable-gpu',
        '--no-proxy-server',
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
      ],
    });
  });
  afterAll(() => browser?.close());

  /** Runs a visit; the browser complains of nothing but what is expected. */
  async function visit(
    options: BrowserContextOptions,
    work: (page: Page) => Promise<void>,
    expected: RegExp = /^$/,
  ): Promise<void> {
    const context = await browser.newContext({ locale: 'zh-CN', ...options });
    const complaints: string[] = [];
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(error.message));
      await work(page);
    } finally {
      await context.close();
    }
    expect(complaints.filter((text) => !expected.test(text))).toEqual([]);
  }

  async function signIn(page: Page): Promise<void> {
    await page.locator('input[type=password]').fill(ADMIN_TOKEN);
    await page.locator('input[autocomplete=name]').fill('Han Meimei');
    await page.locator('button[type=submit]').click();
    await page.locator('main#main').waitFor();
  }

  async function faultsOf(page: Page): Promise<string[]> {
    const client = await page.context().newCDPSession(page);
    const run = `${AXE}; axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })
      .then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ' ' + html)))`;
    const { result } = await client.send('Runtime.evaluate', {
      expression: run,
      awaitPromise: true,
      returnByValue: true,
    });
    return result.value as string[];
  }

  const overflow = (page: Page): Promise<number> =>
    page.locator('html').evaluate((html) => {
      const { scrollWidth, clientWidth } = html as unknown as Record<string, number>;
      return (scrollWidth ?? 0) - (clientWidth ?? 0);
    });

  const anonymous = /status of 401/;

  it.each(LOOKS)('signs in and shows the frame: $locale, $colorScheme, $width', async (look) => {
    const { locale, colorScheme, width } = look;
    const options = { locale, colorScheme, viewport: { width, height: 800 } };
    const work = async (page: Page): Promise<void> => {
      await page.goto(`${test.hub.url}/console/accounts?status=active`);
      await page.waitForURL(/\/console\/sign-in\?back=/);
      await page.locator('form').waitFor();
      expect(await page.getAttribute('html', 'lang')).toBe(locale === 'zh-CN' ? 'zh-CN' : 'en');
      expect(await faultsOf(page)).toEqual([]);
      expect(await overflow(page)).toBeLessThanOrEqual(0);
      await signIn(page);
      // Back to where the person wanted to go, filters and all.
      expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe(
        '/console/accounts?status=active',
      );
      await page.goto(`${test.hub.url}/console`);
      await page.locator('.platform-card .node').first().waitFor();
      await page.waitForLoadState('networkidle');
      expect(await page.locator('.node').count()).toBe(4);
      expect(await faultsOf(page)).toEqual([]);
      expect(await overflow(page)).toBeLessThanOrEqual(0);
    };
    await visit(options, work, anonymous);
  });

  it('goes everywhere by keys, changes language and theme, and signs out', async () => {
    const work = async (page: Page): Promise<void> => {
      await page.goto(`${test.hub.url}/console/sign-in`);
      await signIn(page);
      await page.keyboard.press('g');
      await page.keyboard.press('p');
      await page.waitForURL(/\/console\/platforms/);
      await page.keyboard.press('?');
      await page.getByRole('dialog').waitFor();
      expect(await faultsOf(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await page.keyboard.press('Control+k');
      await page.getByRole('dialog').getByRole('textbox').fill(COMPONENT.appid);
      await page.keyboard.press('Enter');
      await page.waitForURL(new RegExp(`/console/platforms/${COMPONENT.appid}`));
      await page.locator('.user').click();
      await page.getByRole('menuitemradio', { name: 'English' }).click();
      await page.locator('html[lang=en]').waitFor({ state: 'attached' });
      await page.locator('.user').click();
      await page.getByRole('menuitemradio', { name: 'Dark' }).click();
      await page.locator('html[data-theme=dark]').waitFor({ state: 'attached' });
      await page.getByRole('menuitem', { name: 'Sign out' }).click();
      await page.waitForURL(/\/console\/sign-in/);
      await page.goto(`${test.hub.url}/console/platforms`);
      await page.waitForURL(/\/console\/sign-in\?back=/);
    };
    await visit({}, work, anonymous);
  });

  it('says that a token is wrong, and leads nowhere else by the address', async () => {
    const work = async (page: Page): Promise<void> => {
      await page.goto(`${test.hub.url}/console/sign-in?back=//evil.example.test`);
      await page.locator('input[type=password]').fill('wrong-token');
      await page.locator('input[autocomplete=name]').fill('Han Meimei');
      await page.locator('button[type=submit]').click();
      await page.getByRole('alert').waitFor();
      await signIn(page);
      expect(new URL(page.url()).host).toBe(new URL(test.hub.url).host);
    };
    await visit({}, work, anonymous);
  });
});
