import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import {
  chromium,
  type Browser,
  type BrowserContextOptions,
  type Cookie,
  type Page,
} from 'playwright-core';
import { expect } from 'vitest';
import { ADMIN_TOKEN } from './fake-settings.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

function findChromium(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'];
  return ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
}

/** `['chromium']`, or nothing where the machine has none: for `describe.each`. */
export function browsers(): string[] {
  if (findChromium()) return ['chromium'];
  if (process.env.REQUIRE_BROWSER === '1') throw new Error('REQUIRE_BROWSER=1, but no chromium');
  console.log('Browser tests skipped: no chromium on this machine');
  return [];
}

/** The question who is signed in, before anybody is; how far a resync is that nobody began. */
const USUAL = /status of 401|status of 404 .*\/authorizers\/resync$/;

/** The browser that people look at the console with; it reaches no other host. */
export class ConsoleBrowser {
  private constructor(private readonly browser: Browser) {}

  static async start(): Promise<ConsoleBrowser> {
    const browser = await chromium.launch({
      executablePath: findChromium() as string,
      chromiumSandbox: process.getuid?.() !== 0,
      args: [
        '--disable-gpu',
        '--no-proxy-server',
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
      ],
    });
    return new ConsoleBrowser(browser);
  }

  close(): Promise<void> {
    return this.browser.close();
  }

  /** Runs a visit; the browser complains of nothing but what is expected, so of no policy either. */
  async visit(
    options: BrowserContextOptions,
    work: (page: Page) => Promise<void>,
    expected: RegExp = USUAL,
  ): Promise<void> {
    const context = await this.browser.newContext({ locale: 'zh-CN', ...options });
    const complaints: string[] = [];
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      page.on('console', (message) => {
        if (!['error', 'warning'].includes(message.type())) return;
        complaints.push(`${message.text()} ${message.location().url}`);
      });
      page.on('pageerror', (error) => complaints.push(error.message));
      await work(page);
    } finally {
      await context.close();
    }
    expect(complaints.filter((text) => !expected.test(text))).toEqual([]);
  }
}

/** The session of each hub, for every visit of the browser after the first. */
const sessions = new WeakMap<Browser, Map<string, Cookie[]>>();

/** Is signed in with the admin token, and where the person wanted to go. */
export async function signInAt(page: Page, url: string): Promise<void> {
  const context = page.context();
  const browser = context.browser() as Browser;
  const known = sessions.get(browser) ?? new Map<string, Cookie[]>();
  sessions.set(browser, known);
  const { origin } = new URL(url);
  const cookies = known.get(origin);
  if (cookies) await context.addCookies(cookies);
  await page.goto(url);
  if (!cookies) {
    await signIn(page);
    known.set(origin, await context.cookies(`${origin}/admin`));
  }
  await page.locator('main#main').waitFor();
}

/**
 * Leads a page of the console to another, as its links do, and waits until that is the page; no file
 * is fetched twice.
 */
export async function goIn(page: Page, route: string): Promise<void> {
  const router = `document.querySelector('#app').__vue_app__.config.globalProperties.$router`;
  const failure = await page.evaluate(`${router}.push(${JSON.stringify(route)}).then(String)`);
  expect(failure).toBe('undefined');
}

/** Shows the language as when it was chosen in another tab. */
export async function chooseLanguage(page: Page, language: 'zh' | 'en'): Promise<void> {
  await page.evaluate(`window.dispatchEvent(new StorageEvent('storage',
    { key: 'component-hub.language', newValue: '${language}' }));`);
  const lang = language === 'zh' ? 'zh-CN' : 'en';
  await page.locator(`html[lang=${lang}]`).waitFor({ state: 'attached' });
}

/** Everything that people at the page wait for has come. */
export async function settled(page: Page): Promise<void> {
  await page.locator('.skeleton').first().waitFor({ state: 'detached' });
}

/** Signs in with the admin token on the page that asks for it. */
export async function signIn(page: Page): Promise<void> {
  await page.locator('input[type=password]').fill(ADMIN_TOKEN);
  await page.locator('input[autocomplete=name]').fill('Han Meimei');
  await page.locator('button[type=submit]').click();
  await page.locator('main#main').waitFor();
}

/** What axe-core looks at: all, the contrast of colours, or everything else. */
export type AxePart = 'all' | 'contrast' | 'structure';

const CONTRAST = `'color-contrast'`;
const AXE_PARTS: Record<AxePart, string> = {
  all: `runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']`,
  contrast: `runOnly: { type: 'rule', values: [${CONTRAST}] }`,
  structure: `runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
    rules: { ${CONTRAST}: { enabled: false } }`,
};

/** What axe-core finds wrong with the page as it is. */
export async function faultsOf(page: Page, part: AxePart = 'all'): Promise<string[]> {
  const client = await page.context().newCDPSession(page);
  const evaluate = async (expression: string): Promise<unknown> => {
    const wish = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await client.send('Runtime.evaluate', wish);
    if (exceptionDetails) throw new Error(`axe: ${exceptionDetails.exception?.description}`);
    return result.value;
  };
  if (!(await evaluate('"axe" in window'))) await evaluate(`${AXE}; 0`);
  const faults = await evaluate(`axe.run({ ${AXE_PARTS[part]}, resultTypes: ['violations'] })
    .then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ' ' + html)))`);
  await client.detach();
  return faults as string[];
}

/** By how many pixels the page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.locator('html').evaluate((html) => {
    const { scrollWidth, clientWidth } = html as unknown as Record<string, number>;
    return (scrollWidth ?? 0) - (clientWidth ?? 0);
  });
}
