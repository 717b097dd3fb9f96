import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  browsers,
  ConsoleBrowser,
  faultsOf,
  overflow,
  signInAt,
} from '../support/console-browser.js';
import { deliverDue, deliveryHub, subscribe } from '../support/delivery-world.js';
import { ACCOUNT, pushMessage, textFields } from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { MINUTE } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

/*
 * A customer says that messages do not arrive: an operator finds out why, and sends them again. With
 * messages that are hostile.
 */

const HOSTILE = '<script>window.broken = 1</script> \u202Eabc\u202C <img src=x onerror=alert(1)>';
const LONG = 'a long text '.repeat(8000);
/** What the browser says of the answers that the last test gives it. */
const EXPECTED = /status of 401|status of 500/;

describe.each(browsers())('messages, deliveries and subscriptions in the console in %s', () => {
  let test: TestApp;
  let receiver: WebhookReceiver;
  let browser: ConsoleBrowser;
  let subscription: string;

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
    browser = await ConsoleBrowser.start();
  });
  afterAll(async () => {
    await browser?.close();
    await test?.close();
    await receiver?.close();
  });

  /** Somebody who reads English goes through these pages, beginning with one. */
  const visit = (
    path: string,
    work: (page: Page, open: (path: string) => Promise<unknown>) => Promise<void>,
  ): Promise<void> =>
    browser.visit(
      { locale: 'en-GB', viewport: { width: 1280, height: 900 } },
      async (page) => {
        await signInAt(page, `${test.hub.url}/console${path}`);
        await work(page, (next) => page.goto(`${test.hub.url}/console${next}`));
      },
      EXPECTED,
    );
  const reveals = async (): Promise<number> =>
    (await test.hub.get('/admin/audit?action=event.reveal')).json.records.length;

  it('lists pushes, and reads the content of one only when asked, as text', () =>
    visit('/messages?outcome=nonsense&from=never&kind=message', async (page) => {
      await expect.poll(() => page.locator('[data-row]').count()).toBe(3);
      expect(await faultsOf(page)).toEqual([]);
      await page.locator('[data-row]').nth(1).click();
      await page.getByRole('button', { name: 'Show the content' }).waitFor();
      expect(await reveals()).toBe(0);
      await page.getByRole('button', { name: 'Show the content' }).click();
      expect(await page.locator('.chat .content').textContent()).toBe(HOSTILE);
      expect(await page.evaluate('window.broken')).toBeUndefined();
      expect(await reveals()).toBe(1);
      expect(await faultsOf(page)).toEqual([]);
      // The long one is cut in the chat, whole in the raw text, and asks nothing more.
      await page.keyboard.press('Escape');
      await page.locator('[data-row]').first().click();
      await page.locator('.chat').waitFor();
      expect((await page.locator('.chat .content').textContent())?.length).toBeLessThan(5000);
      await page.getByRole('tab', { name: 'Raw text' }).click();
      expect(await page.locator('.code pre').first().textContent()).toContain(LONG.trim());
      expect(await reveals()).toBe(2);
    }));

  it('shows in the list how often a delivery has failed, why, and when it is tried next', () =>
    visit(`/messages?account=${ACCOUNT}&kind=message`, async (page, open) => {
      const row = page.locator('[data-row]').first();
      await row.getByText(/Failed \d time/).waitFor();
      // The hub's clock stands still: to the browser the time of the next try is over.
      await row.getByText(/^Due .* ago$/).waitFor();
      test.clock.advance(10 * MINUTE);
      await deliverDue(test);
      await page.reload();
      await row.getByText(/^Next try in \d+ min/).waitFor();
      await row.getByText('The target answered HTTP 503').waitFor();
      // In Chinese by its code, without the sentence of the hub.
      await page.locator('.user').click();
      await page.getByRole('menuitemradio', { name: '中文' }).click();
      await row.getByText('目标返回 HTTP 503').waitFor();
      await row.getByText(/已失败 \d 次/).waitFor();
      expect(await row.getByText('The target').count()).toBe(0);
      expect(await faultsOf(page)).toEqual([]);
      await open('/audit');
      await page.locator('.audit-action').getByText('查看推送内容').first().waitFor();
      await page.getByLabel('操作', { exact: true }).selectOption({ label: '登录' });
      await page.waitForURL(/action=session\.open/);
      await page.locator('.user').click();
      await page.getByRole('menuitemradio', { name: 'English' }).click();
      await page.locator('.audit-action').getByText('Signed in').first().waitFor();
    }));

  it('says why a delivery failed, and sends all of an account again', () =>
    visit(`/deliveries?account=${ACCOUNT}&status=pending,nonsense`, async (page, open) => {
      await page.locator('[data-row]').first().click();
      await page.getByText('HTTP 503', { exact: false }).first().waitFor();
      await page.getByText('The target itself failed', { exact: false }).first().waitFor();
      expect(await faultsOf(page)).toEqual([]);
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
    }));

  it('tests a subscription before it is stored, shows its secret once, and names what is deleted', () =>
    visit('/subscriptions/new', async (page) => {
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
      expect(await faultsOf(page)).toEqual([]);
      await page.getByRole('button', { name: 'I have kept it' }).click();
      expect(await page.content()).not.toContain(secret);
      await page.getByRole('button', { name: 'Delete subscription' }).click();
      await page.getByRole('alertdialog').getByRole('button', { name: 'Delete “Orders”' }).click();
      await page.waitForURL(/\/console\/subscriptions$/);
      await page.getByText('Orders <b>').first().waitFor();
      expect((await test.hub.get('/admin/subscriptions')).json.map(({ id }: any) => id)).toEqual([
        subscription,
      ]);
    }));

  it('stays of use when the hub answers with an error or a page, and fits a phone', () =>
    visit('/', async (page, open) => {
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
      const paths = [
        '/messages',
        '/deliveries',
        '/subscriptions',
        `/subscriptions/${subscription}`,
      ];
      for (const path of paths) {
        await open(path);
        await page.locator('[data-row], .figures').first().waitFor();
        expect(await overflow(page)).toBeLessThanOrEqual(0);
        expect(await faultsOf(page)).toEqual([]);
      }
    }));
});
