import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deliveryHub, subscribe } from '../support/delivery-world.js';
import { ADMIN_TOKEN } from '../support/fake-settings.js';
import { ACCOUNT, pushMessage, textFields } from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

/*
 * A customer says that messages do not arrive: an operator finds out why, and sends them again. With
 * messages that are hostile.
 */

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const HOSTILE = '<script>window.broken = 1</script> \u202Eabc\u202C <img src=x onerror=alert(1)>';
const LONG = 'a long text '.repeat(8000);

function findChromium(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin'];
  return ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
}

if (!findChromium() && process.env.REQUIRE_BROWSER === '1') {
  throw new Error('REQUIRE_BROWSER=1, but no chromium');
}

describe.skipIf(!findChromium())('messages, deliveries and subscriptions in the console', () => {
  let test: TestApp;
  let receiver: WebhookReceiver;
  let browser: Browser;
  let page: Page;
  let subscription: string;
  const complaints: string[] = [];

  beforeAll(async () => {
    test = await deliveryHub({ database: 'sqlite' });
    receiver = await WebhookReceiver.start({ status: 503, body: '<h1>upstream is down</h1>' });
    subscription = (await subscribe(test, receiver, { name: 'Orders <b>' })).id;
    for (const Content of ['hello', HOSTILE, LONG]) {
      await pushMessage(
        test,
        textFields(test, { Content, MsgId: String(Date.now()) + Content.length }),
      );
    }
    await receiver.arrived(3);
    browser = await chromium.launch({
      executablePath: findChromium() as string,
      chromiumSandbox: process.getuid?.() !== 0,
      args: ['--disable-gpu', '--no-proxy-server'],
    });
    const context = await browser.newContext({
      locale: 'en-GB',
      viewport: { width: 1280, height: 900 },
    });
    page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${test.hub.url}/console/sign-in`);
    await page.locator('input[type=password]').fill(ADMIN_TOKEN);
    await page.locator('input[autocomplete=name]').fill('Li Lei');
    await page.locator('button[type=submit]').click();
    await page.locator('main#main').waitFor();
    complaints.length = 0;
  });
  afterAll(async () => {
    await browser?.close();
    await test?.close();
    await receiver?.close();
  });

  const open = (path: string): Promise<unknown> => page.goto(`${test.hub.url}/console${path}`);
  async function faults(): Promise<unknown> {
    const client = await page.context().newCDPSession(page);
    const run = `${AXE}; axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })
      .then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ' ' + html)))`;
    const options = { expression: run, awaitPromise: true, returnByValue: true };
    return (await client.send('Runtime.evaluate', options)).result.value;
  }
  const reveals = async (): Promise<number> =>
    (await test.hub.get('/admin/audit?action=event.reveal')).json.records.length;

  it('lists pushes, and reads the content of one only when asked, as text', async () => {
    await open('/messages?outcome=nonsense&from=never&kind=message');
    await expect.poll(() => page.locator('[data-row]').count()).toBe(3);
    expect(await faults()).toEqual([]);
    await page.locator('[data-row]').nth(1).click();
    await page.getByRole('button', { name: 'Show the content' }).waitFor();
    expect(await reveals()).toBe(0);
    await page.getByRole('button', { name: 'Show the content' }).click();
    expect(await page.locator('.chat .content').textContent()).toBe(HOSTILE);
    expect(await page.evaluate('window.broken')).toBeUndefined();
    expect(await reveals()).toBe(1);
    expect(await faults()).toEqual([]);
    // The long one is cut in the chat, whole in the raw text, and asks nothing more.
    await page.keyboard.press('Escape');
    await page.locator('[data-row]').first().click();
    await page.locator('.chat').waitFor();
    expect((await page.locator('.chat .content').textContent())?.length).toBeLessThan(5000);
    await page.getByRole('tab', { name: 'Raw text' }).click();
    expect(await page.locator('.code pre').first().textContent()).toContain(LONG.trim());
    expect(await reveals()).toBe(2);
  });

  it('shows in the list how often a delivery has failed, why, and when it is tried next', async () => {
    await open(`/messages?account=${ACCOUNT}&kind=message`);
    const row = page.locator('[data-row]').first();
    await row.getByText(/Failed \d time/).waitFor();
    await row.getByText(/Next try /).waitFor();
    await row.getByText('The target answered HTTP 503').waitFor();
    // In Chinese by its code, without the sentence of the hub.
    await page.locator('.user').click();
    await page.getByRole('menuitemradio', { name: '中文' }).click();
    await row.getByText('目标返回 HTTP 503').waitFor();
    await row.getByText(/已失败 \d 次/).waitFor();
    expect(await row.getByText('The target').count()).toBe(0);
    expect(await faults()).toEqual([]);
    await open('/audit');
    await page.locator('.audit-action').getByText('查看推送内容').first().waitFor();
    await page.getByLabel('操作', { exact: true }).selectOption({ label: '登录' });
    await page.waitForURL(/action=session\.open/);
    await page.locator('.user').click();
    await page.getByRole('menuitemradio', { name: 'English' }).click();
    await page.locator('.audit-action').getByText('Signed in').first().waitFor();
  });

  it('says why a delivery failed, and sends all of an account again', async () => {
    await open(`/deliveries?account=${ACCOUNT}&status=pending,nonsense`);
    await page.locator('[data-row]').first().click();
    await page.getByText('HTTP 503', { exact: false }).first().waitFor();
    await page.getByText('The target itself failed', { exact: false }).first().waitFor();
    expect(await faults()).toEqual([]);
    const cancel = page.getByRole('button', { name: 'Cancel', exact: true });
    await cancel.click();
    await page.getByRole('button', { name: 'Cancel delivery to “Orders <b>”' }).click();
    await page.getByRole('dialog').getByText('Cancelled').first().waitFor();
    await page.keyboard.press('Escape');
    receiver.answer({ status: 200 });
    await open(`/deliveries?account=${ACCOUNT}&status=cancelled`);
    await page.getByRole('button', { name: 'Replay all that match' }).click();
    await page.getByRole('button', { name: 'Replay 1' }).click();
    await page.getByText('1 begun again', { exact: false }).waitFor();
    await receiver.arrived(4);
    // What has never arrived is two clicks away from the subscription.
    await open(`/subscriptions/${subscription}`);
    await page.getByRole('button', { name: 'Replay what was not delivered' }).click();
    await page.getByRole('button', { name: 'Replay 2' }).click();
    await receiver.arrived(6);
  });

  it('tests a subscription before it is stored, shows its secret once, and names what is deleted', async () => {
    await open('/subscriptions/new');
    await page.getByLabel('Name', { exact: true }).fill('Orders');
    await page.getByLabel('URL').fill(receiver.url);
    receiver.answer({ status: 418, body: 'I am a <i>teapot</i>' });
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText('HTTP 418', { exact: false }).first().waitFor();
    expect(await page.locator('.code pre').first().textContent()).toContain('a <i>teapot</i>');
    expect((await test.hub.get('/admin/subscriptions')).json).toHaveLength(1);
    await page.getByRole('button', { name: 'Add subscription' }).click();
    const secret = await page.locator('.secret').textContent();
    expect(secret).toMatch(/^whsec_/);
    expect(await faults()).toEqual([]);
    await page.getByRole('button', { name: 'I have kept it' }).click();
    expect(await page.content()).not.toContain(secret);
    await page.getByRole('button', { name: 'Delete subscription' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Delete “Orders”' }).click();
    await page.waitForURL(/\/console\/subscriptions$/);
    await page.getByText('Orders <b>').first().waitFor();
    expect((await test.hub.get('/admin/subscriptions')).json.map(({ id }: any) => id)).toEqual([
      subscription,
    ]);
  });

  it('stays of use when the hub answers with an error or a page, and fits a phone', async () => {
    expect(complaints).toEqual([]);
    const answers = [
      { status: 500, contentType: 'application/json', body: '{"error":{}}' },
      { status: 500, contentType: 'text/html', body: '<h1>Bad gateway</h1>' },
    ];
    for (const answer of answers) {
      await page.route('**/admin/deliveries?**', (route) => route.fulfill(answer));
      await open('/deliveries');
      await page.getByRole('button', { name: 'Try again' }).waitFor();
      await page.unroute('**/admin/deliveries?**');
    }
    await page.setViewportSize({ width: 375, height: 800 });
    const paths = ['/messages', '/deliveries', '/subscriptions', `/subscriptions/${subscription}`];
    for (const path of paths) {
      await open(path);
      await page.locator('[data-row], .figures').first().waitFor();
      const wide = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect(await page.evaluate(wide)).toBeLessThanOrEqual(0);
      expect(await faults()).toEqual([]);
    }
  });
});
