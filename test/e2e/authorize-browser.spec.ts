import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import {
  type Browser,
  type BrowserContextOptions,
  chromium,
  devices,
  type Page,
} from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  authorizerHub,
  calls,
  detailOf,
  newAccount,
  pass,
  PLATFORM,
  tokenText,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';
import { HOUR } from '../support/token-world.js';

/** The browser of this machine, if it has one. */
function findChromium(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'];
  return ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
}

/**
 * `values` where there is a browser, for `describe.each`; nothing otherwise, with a line that says
 * so, or a failure where `REQUIRE_BROWSER=1`.
 */
function withBrowser<T>(values: T[]): T[] {
  if (findChromium()) return values;
  const missing = 'no chromium on this machine';
  if (process.env.REQUIRE_BROWSER === '1') throw new Error(`REQUIRE_BROWSER=1, but ${missing}`);
  console.log(`Browser tests skipped: ${missing}`);
  return [];
}

/**
 * Starts a browser for which the named hosts are ports of this machine, and which reaches nothing
 * else but 127.0.0.1.
 * @param hosts Host names, each with the URL that stands behind `http://` and its name.
 */
function startBrowser(hosts: Record<string, string>): Promise<Browser> {
  const rules = Object.entries(hosts).map(([name, url]) => `MAP ${name}:80 ${new URL(url).host}`);
  return chromium.launch({
    executablePath: findChromium() as string,
    // The sandbox does not start as root.
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      '--disable-gpu',
      '--no-proxy-server',
      `--host-resolver-rules=${[...rules, 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1'].join(',')}`,
    ],
  });
}

/** A web server of somebody else's, on a free port. */
interface TestSite {
  url: string;
  close(): Promise<void>;
}

async function startSite(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<TestSite> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const HUB = 'http://hub.example.test';
const CALLER = 'http://app.example.test';
const PRE_AUTH_CODE = '/cgi-bin/component/api_create_preauthcode';

/** How an administrator authorizes: the link of the page, WeChat's page behind it, the browser. */
interface Way {
  link: string;
  path: string;
  device: BrowserContextOptions;
}
const WAYS: [string, Way][] = [
  [
    'the PC link on a desktop',
    {
      link: '#pc',
      path: '/cgi-bin/componentloginpage',
      device: { viewport: { width: 1280, height: 800 } },
    },
  ],
  [
    'the H5 link on a phone',
    {
      link: '#h5',
      path: '/wxaopen/safe/bindcomponent',
      device: devices['iPhone 15'] as BrowserContextOptions,
    },
  ],
];

describe.each(withBrowser(databaseKinds()))('authorizing in a browser, on %s', (kind) => {
  let test: TestApp;
  let caller: TestSite;
  let browser: Browser;

  beforeAll(async () => {
    caller = await startSite(({ url = '' }, response) => {
      const framed = new URL(url, CALLER).searchParams.get('url');
      if (framed) response.setHeader('content-type', 'text/html');
      response.end(framed ? `<iframe src="${framed}"></iframe>` : 'Back at the caller');
    });
    const env = { PUBLIC_URL: HUB, AUTHORIZATION_RETURN_ORIGINS: CALLER };
    test = await authorizerHub({ database: kind, env });
    browser = await startBrowser({
      'hub.example.test': test.hub.url,
      'app.example.test': caller.url,
    });
  });
  afterAll(async () => {
    await browser?.close();
    await test?.close();
    await caller?.close();
  });
  beforeEach(() => test.simulator.clearCalls());

  /** Runs a visit in a browser that knows nothing; it complains of nothing but what is expected. */
  async function visit(
    options: BrowserContextOptions,
    work: (page: Page) => Promise<void>,
    expected: string[] = [],
  ): Promise<void> {
    const context = await browser.newContext({ locale: 'zh-CN', ...options });
    const complaints: string[] = [];
    try {
      const page = await context.newPage();
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
      });
      page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`));
      await work(page);
    } finally {
      await context.close();
    }
    expect(complaints).toEqual(expected);
  }

  function pageOf(query: Record<string, string> = {}): string {
    return `${HUB}/authorize/${PLATFORM}?${new URLSearchParams(query)}`;
  }

  /** The code in the address of WeChat's page. */
  const preAuthCode = (page: Page) => new URL(page.url()).searchParams.get('pre_auth_code');
  const account = (page: Page, appid: string) => page.locator(`button[value="${appid}"]`);

  /** Whether WeChat takes the token of an account. */
  async function works(token: string): Promise<boolean> {
    const url = `${test.simulator.url}/cgi-bin/message/custom/send?access_token=${token}`;
    const message = { touser: 'oFakeUser', msgtype: 'text', text: { content: 'hello' } };
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify(message) });
    return ((await answer.json()) as { errcode: number }).errcode === 0;
  }

  it.each(WAYS)('by %s leads back to the caller, with a token that works', async (_way, way) => {
    const appid = newAccount(test);
    const state = 'order 1&2=é';
    await visit(way.device, async (page) => {
      const query = { return_to: `${CALLER}/done?keep=1`, state, biz_appid: appid };
      await page.goto(pageOf(query));
      expect(calls(test, PRE_AUTH_CODE)).toBe(0);
      const [asked] = await Promise.all([
        page.waitForRequest((request) => request.url().startsWith(test.simulator.url + way.path)),
        page.click(way.link),
      ]);
      expect((await asked.allHeaders()).referer).toBe(`${HUB}/`);
      expect(calls(test, PRE_AUTH_CODE)).toBe(1);
      await account(page, appid).click();
      await page.waitForURL(`${CALLER}/**`);
      const { searchParams } = new URL(page.url());
      expect([...searchParams.keys()]).toEqual(['keep', 'result_id']);
      const { json } = await test.hub.get(`/api/authorizations/${searchParams.get('result_id')}`);
      expect(json).toMatchObject({ outcome: 'authorized', authorizerAppId: appid, state });
    });
    expect(await detailOf(test, appid)).toMatchObject({ authorizerAppId: appid, status: 'active' });
    expect(await works(await tokenText(test, appid))).toBe(true);
  });

  // The pages are the same on every database.
  if (kind !== 'sqlite') return;

  it('without a caller ends on a page of the hub, which can be reloaded', async () => {
    const appid = newAccount(test);
    await visit({}, async (page) => {
      await page.goto(pageOf({ biz_appid: appid }));
      await page.click('#pc');
      await account(page, appid).click();
      const result = page.locator('[data-result=authorized]');
      await result.waitFor();
      await page.reload();
      await result.waitFor();
      expect(await page.textContent('main')).toContain(appid);
    });
    expect(calls(test, '/cgi-bin/component/api_query_auth')).toBe(1);
  });

  it('takes a fresh code for each click after going back', async () => {
    const appid = newAccount(test);
    await visit({}, async (page) => {
      await page.goto(pageOf({ biz_appid: appid }));
      const codes = new Set<string | null>();
      for (const link of ['#pc', '#h5']) {
        await page.click(link);
        await account(page, appid).waitFor();
        codes.add(preAuthCode(page));
        await page.goBack();
      }
      expect(codes.size).toBe(2);
      await page.click('#pc');
      await account(page, appid).click();
      await page.locator('[data-result=authorized]').waitFor();
    });
    expect(calls(test, PRE_AUTH_CODE)).toBe(3);
  });

  it('goes on after a code that expired before the consent', async () => {
    const appid = newAccount(test);
    await visit({}, async (page) => {
      await page.goto(pageOf({ biz_appid: appid }));
      await page.click('#pc');
      await account(page, appid).waitFor();
      await pass(test, HOUR);
      await account(page, appid).click();
      expect(await page.textContent('#reason')).toContain('expired');
      await page.goBack();
      await page.goBack();
      await page.click('#pc');
      await account(page, appid).click();
      await page.locator('[data-result=authorized]').waitFor();
    });
  });

  it('refuses a link of the page that was opened alone, and leads to the page', async () => {
    const appid = newAccount(test);
    const refusal =
      'Failed to load resource: the server responded with a status of 403 (Forbidden)';
    const work = async (page: Page): Promise<void> => {
      await page.goto(`${HUB}/authorize/${PLATFORM}/go?kind=pc&biz_appid=${appid}`);
      expect(calls(test, PRE_AUTH_CODE)).toBe(0);
      await page.click('#start');
      await page.click('#pc');
      await account(page, appid).waitFor();
    };
    await visit({}, work, [refusal]);
  });

  it('shows the API documents, which work under a strict policy and in no frame', async () => {
    await visit({}, async (page) => {
      await page.goto(`${HUB}/docs`);
      const operation = page.locator('#operations-health-getLiveness');
      await operation.click();
      await operation.locator('.try-out__btn').click();
      await operation.locator('.execute').click();
      await operation.locator('.live-responses-table').waitFor();
      expect(await operation.locator('.live-responses-table').textContent()).toContain('"up"');
      await page.locator('.btn.authorize').click();
      await page.locator('.auth-container input').first().fill('fake-token');
    });
    const { headers } = await test.hub.get('/docs');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/^default-src 'none'; base-uri 'none'; form-action 'none'; frame-anc/);
    expect(policy).not.toMatch(/unsafe-(?:inline|eval)|https?:|\*/);
    expect(headers.get('cache-control')).toBe('no-store');
    const refusal = /frame|refused to connect|blocked/i;
    const context = await browser.newContext();
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    for (const path of ['/docs', `/authorize/${PLATFORM}`, '/nothing']) {
      await page.goto(`${CALLER}/framing?${new URLSearchParams({ url: HUB + path })}`);
      await page.waitForLoadState('networkidle');
      const framed = page.frames()[1];
      expect(await framed?.content().catch(() => '')).not.toMatch(/swagger|微信/);
    }
    expect(complaints.some((text) => refusal.test(text))).toBe(true);
    await context.close();
  });

  it.each([
    ['zh-CN', 'zh-CN', '微信账号授权', 'Authorize a WeChat account'],
    ['en-GB', 'en', 'Authorize a WeChat account', '微信账号授权'],
  ])('speaks to a browser set to %s in %s first', async (locale, lang, first, second) => {
    await visit({ locale }, async (page) => {
      await page.goto(pageOf());
      expect(await page.title()).toBe(first);
      expect(await page.getAttribute('html', 'lang')).toBe(lang);
      expect(await page.textContent('h1')).toBe(first + second);
    });
  });

  it.each(WAYS)(
    'shows %s first, styled, and no wider than the screen',
    async (_way, { link, device }) => {
      await visit(device, async (page) => {
        await page.goto(pageOf());
        expect(`#${await page.locator('a').first().getAttribute('id')}`).toBe(link);
        const first = await page.locator('a').first().boundingBox();
        // As the style says, so the page's policy lets it through; large enough for a finger.
        expect(first?.height).toBeGreaterThan(44);
        const width = page.viewportSize()?.width ?? 0;
        const used = await page
          .locator('html')
          .evaluate((html) => (html as unknown as { scrollWidth: number }).scrollWidth);
        expect(used).toBeLessThanOrEqual(width);
      });
    },
  );
});
