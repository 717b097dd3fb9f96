import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  browsers,
  ConsoleBrowser,
  faultsOf,
  overflow,
  signIn,
  signInAt,
} from '../support/console-browser.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const POLICY =
  "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'";

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

describe.each(browsers())('the console in %s', () => {
  let browser: ConsoleBrowser;
  beforeAll(async () => {
    browser = await ConsoleBrowser.start();
  });
  afterAll(() => browser?.close());

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
    await browser.visit(options, work);
  });

  it('goes everywhere by keys, changes language and theme, and signs out', async () => {
    const work = async (page: Page): Promise<void> => {
      // By a session of its own: it ends, and the other tests share theirs.
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
    await browser.visit({}, work);
  });

  it('loads itself again where a file is gone, as after an update of the hub', async () => {
    const work = async (page: Page): Promise<void> => {
      await signInAt(page, `${test.hub.url}/console/settings`);
      let isOld = false;
      page.on('request', (request) => {
        if (request.isNavigationRequest()) isOld = false;
      });
      // Of a page that is gone to, and of what a page fetches later.
      await page.route(/\/assets\/(accounts|overview-chart)-[^/]*\.js$/, (route) =>
        isOld ? route.fulfill({ status: 404 }) : route.continue(),
      );
      for (const path of ['/console/accounts', '/console/']) {
        await page.evaluate('sessionStorage.clear()');
        isOld = true;
        const loaded = page.waitForEvent('load');
        await page.locator(`nav a[href="${path}"]`).last().click();
        await loaded;
        expect([isOld, new URL(page.url()).pathname]).toEqual([false, path]);
        await page.locator('main h1').waitFor();
      }
    };
    await browser.visit({}, work, /status of 40[14]|Failed to fetch dynamically imported/);
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
    await browser.visit({}, work);
  });
});
