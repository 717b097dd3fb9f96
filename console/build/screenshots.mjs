// `npm run screenshots`: the pictures of README and docs/console.md, of the demo's world. Wants
// chromium, and for the Chinese ones a Chinese font (Debian: fonts-wqy-microhei).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const ROOT = join(import.meta.dirname, '../..');
const LANGUAGES = { 'zh-CN': 'zh-CN', en: 'en-GB' };
const PAGES = {
  overview: '/',
  deliveries: '/deliveries',
  'add-platform': '/platforms/new',
  accounts: '/accounts',
};
const MAX_BYTES = 120_000;
const FILLED = 'The console has';

const executablePath = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin']
  .flatMap((folder) => ['chromium', 'google-chrome'].map((name) => join(folder, name)))
  .find((path) => existsSync(path));

const demo = spawn(process.execPath, [join(ROOT, 'dist/simulator/demo.js')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const exited = once(demo, 'exit');

/** The sign-in link, once the world is there. */
async function linkOfDemo() {
  let link;
  for await (const line of createInterface({ input: demo.stdout })) {
    link ??= /http\S+\/console\/#\/sign-in\?link=\S+/.exec(line)?.[0];
    if (line.startsWith(FILLED) && link) return link;
  }
  throw new Error('The demo ended before its world was there');
}

/** Signs in; the session, for the other contexts. */
async function signIn(browser, link) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(link);
  await page.locator('main#main').waitFor();
  const { cookies } = await context.storageState();
  await context.close();
  return { cookies, origins: [] };
}

let browser;
try {
  const link = await linkOfDemo();
  browser = await chromium.launch({
    executablePath,
    chromiumSandbox: process.getuid?.() !== 0,
    args: ['--disable-gpu', '--disable-lcd-text', '--no-proxy-server'],
  });
  const storageState = await signIn(browser, link);
  for (const [folder, locale] of Object.entries(LANGUAGES)) {
    const images = join(ROOT, 'docs/images', folder);
    mkdirSync(images, { recursive: true });
    const viewport = { width: 1280, height: 540 };
    const context = await browser.newContext({
      locale,
      timezoneId: 'Asia/Shanghai',
      viewport,
      storageState,
      reducedMotion: 'reduce',
    });
    const page = await context.newPage();
    for (const [name, path] of Object.entries(PAGES)) {
      await page.goto(`${new URL(link).origin}/console${path}`);
      await page.locator('main h1').first().waitFor();
      await page.waitForLoadState('networkidle');
      const file = join(images, `${name}.png`);
      await page.screenshot({ path: file });
      const { size } = statSync(file);
      process.stdout.write(`${size > MAX_BYTES ? 'TOO LARGE ' : ''}${file} ${size} bytes\n`);
      if (size > MAX_BYTES) process.exitCode = 1;
    }
    await context.close();
  }
} finally {
  await browser?.close();
  demo.kill('SIGTERM');
  await exited;
}
