import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signQuery } from '../../simulator/wechat-push-crypto.js';
import { nowSeconds } from '../support/callback-pushes.js';
import {
  browsers,
  ConsoleBrowser,
  faultsOf,
  overflow,
  settled,
  signInAt,
} from '../support/console-browser.js';
import { addOperator } from '../support/console-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const { appid, appsecret } = COMPONENT;
const PATH = `/admin/components/${appid}`;
const HOSTILE = `<img src=x onerror=alert(1)> مرحبا.exe ${'长'.repeat(60)}`;

describe.each(browsers())('platforms in the console, in %s', () => {
  let test: TestApp;
  let browser: ConsoleBrowser;
  const at = (path: string): string => `${test.hub.url}/console${path}`;

  beforeAll(async () => {
    const none = ['APPID', 'APPSECRET', 'TOKEN', 'ENCODING_AES_KEY'].map((name) => [
      `WECHAT_COMPONENT_${name}`,
      '',
    ]);
    test = await createTestApp({ database: 'sqlite', env: Object.fromEntries(none) });
    browser = await ConsoleBrowser.start();
  });
  afterAll(async () => {
    await browser?.close();
    await test?.close();
  });

  async function expectWell(page: Page): Promise<void> {
    expect(await faultsOf(page)).toEqual([]);
    expect(await overflow(page)).toBeLessThanOrEqual(0);
  }

  it('from nothing to the first token: values made here, URLs to copy, the wait that is live', async () => {
    await browser.visit({ viewport: { width: 1280, height: 900 } }, async (page) => {
      await signInAt(page, at('/'));
      await page.waitForURL(/\/platforms\/new$/);
      await expectWell(page);
      await page.getByLabel('AppID').fill(appid);
      await page.getByLabel('AppSecret').fill(appsecret);
      for (const name of ['消息校验Token', '消息加解密Key']) {
        await page.getByRole('button', { name: `生成 ${name}` }).click();
      }
      const token = await page.getByLabel('消息校验Token', { exact: true }).inputValue();
      const key = await page.getByLabel('消息加解密Key', { exact: true }).inputValue();
      expect(token).toMatch(/^[A-Za-z0-9]{32}$/);
      expect(key).toMatch(/^[A-Za-z0-9]{42}[AEIMQUYcgkosw048]$/);
      await page.getByRole('button', { name: '添加平台' }).click();
      await page.waitForURL(/added=/);
      await page.getByText(`/callback/${appid}/events`).waitFor();
      expect(await page.locator('main').innerText()).toContain(key);
      await expectWell(page);

      // A Token that differs, as after a wrong paste: the remedy says so.
      const events = `${test.hub.url}/callback/${appid}/events`;
      const urlCheck = (secret: string): Promise<Response> => {
        const timestamp = String(nowSeconds(test));
        const signature = signQuery(secret, timestamp, '100000001');
        const query = { signature, timestamp, nonce: '100000001', echostr: '1' };
        return fetch(`${events}?${String(new URLSearchParams(query))}`);
      };
      expect((await urlCheck('anotherToken')).status).toBe(403);
      await page.getByRole('alert').getByText('signature_invalid').waitFor();
      expect((await urlCheck(token)).status).toBe(200);
      test.clock.advance(15_000);
      await page.locator('.wait > li:nth-child(1)[data-tone=good]').waitFor();
      test.simulator.updateComponent(appid, { token, encodingAesKey: key, pushUrl: events });
      await test.simulator.pushTicket(appid);
      await page.locator('.wait > li:nth-child(2)[data-tone=good]').waitFor();
      expect((await test.hub.accessToken(appid)).status).toBe(200);
      await page.getByText('一切就绪').waitFor();
      await expectWell(page);
      await page.getByRole('link', { name: '查看平台' }).click();
      await page.waitForURL(new RegExp(`/platforms/${appid}$`));
      expect(await page.locator('main').innerText()).not.toContain(key);
    });
  });

  it('shows a platform in each tab, renames it, ends a previous Token, disables it by its AppID', async () => {
    await browser.visit({ viewport: { width: 1280, height: 900 } }, async (page) => {
      await signInAt(page, at(`/platforms/${appid}?tab=nonsense`));
      await page.getByLabel('名称').fill(HOSTILE.slice(0, 80));
      await page.getByRole('button', { name: '保存' }).click();
      await page.getByRole('heading', { level: 1, name: '<img src=x' }).waitFor();
      await page.getByRole('link', { name: '密钥', exact: true }).click();
      await page.getByRole('button', { name: '生成 消息校验Token' }).click();
      await page.getByRole('button', { name: '保存密钥' }).click();
      await page.getByText('旧值仍有效').first().waitFor();
      await expectWell(page);
      await page.getByRole('button', { name: '立即结束旧值' }).click();
      await page.getByRole('alertdialog').getByRole('button', { name: /^结束/ }).click();
      await page.getByText('旧值仍有效').waitFor({ state: 'hidden' });
      await page.getByRole('link', { name: '验证票据', exact: true }).click();
      await page.getByRole('cell', { name: '127.0.0.1' }).first().waitFor();
      await expectWell(page);
      await page.getByRole('link', { name: '令牌', exact: true }).click();
      await page.getByText('第 1 代').waitFor();
      await expectWell(page);
      await page.getByRole('button', { name: '停用' }).click();
      const dialog = page.getByRole('alertdialog');
      const action = dialog.getByRole('button', { name: /^停用/ });
      expect(await action.isDisabled()).toBe(true);
      await dialog.getByRole('textbox').fill(appid);
      await action.click();
      await page.getByText('已停用', { exact: true }).first().waitFor();
      expect((await test.hub.get(PATH)).json.enabled).toBe(false);
      await page.getByRole('button', { name: '启用' }).click();
      await page.getByRole('alertdialog').getByRole('button', { name: /^启用/ }).click();
      await page.getByText('已启用', { exact: true }).first().waitFor();
      await page.goto(at('/platforms'));
      await page.getByRole('row').nth(1).waitFor();
      await expectWell(page);
    });
  });

  it('plays the release check, and shows what was expected and what came', async () => {
    await browser.visit({ viewport: { width: 1280, height: 900 } }, async (page) => {
      await signInAt(page, at('/release-check'));
      await page.getByText('还没有检测记录').waitFor();
      await page.getByRole('button', { name: '开始检测' }).click();
      await page.locator('.cases > li').nth(4).waitFor();
      await expectWell(page);
      await page.getByRole('button', { name: '开始检测' }).click();
      await page.getByText('检测记录', { exact: true }).waitFor();
      expect((await test.hub.get(`${PATH}/release-check`)).json.runs).toHaveLength(2);
    });
  });

  it('on a phone, dark, in English; a viewer changes nothing', async () => {
    const viewer = await addOperator(test.hub, { name: 'Li Lei', role: 'viewer' });
    const options = {
      locale: 'en-GB',
      colorScheme: 'dark' as const,
      viewport: { width: 375, height: 800 },
    };
    await browser.visit(options, async (page) => {
      await page.goto(at('/platforms'));
      await page.getByRole('tab', { name: 'Operator' }).click();
      await page.getByLabel('Operator name').fill('Li Lei');
      await page.getByLabel('Password').fill(viewer.password);
      await page.locator('button[type=submit]').click();
      await page.locator('.cards > li').first().waitFor();
      await expectWell(page);
      expect(await page.getByRole('link', { name: 'Add platform' }).count()).toBe(0);
      for (const tab of ['setup', 'secrets', 'ticket', 'token']) {
        await page.goto(at(`/platforms/${appid}?tab=${tab}`));
        await page.locator('.tabs').waitFor();
        await settled(page);
        await expectWell(page);
        const writing = /^(Save|Disable|Enable|Refresh now|Start ticket|End previous|Make)/;
        expect(await page.getByRole('button', { name: writing }).count()).toBe(0);
      }
      await page.goto(at('/platforms/new'));
      await page.getByText('Only owners').waitFor();
      await page.goto(at('/release-check'));
      await page.locator('.cases > li').nth(4).waitFor();
      expect(await page.getByRole('button', { name: 'Run the check' }).isDisabled()).toBe(true);
      await expectWell(page);
    });
  }, 60_000);

  it('says what the hub answered instead, and what is not there', async () => {
    const complaint = /status of (401|404|500)|Failed to load/;
    const work = async (page: Page): Promise<void> => {
      await signInAt(page, at('/platforms/wx1/'));
      await page.getByRole('alert').getByText('没有这个第三方平台').waitFor();
      await page.route('**/history?*', (route) =>
        route.fulfill({ status: 200, contentType: 'text/html', body: '<h1>proxy</h1>' }),
      );
      await page.route('**/admin/tokens/*', (route) =>
        route.fulfill({ status: 500, contentType: 'text/html', body: '<script>alert(1)</script>' }),
      );
      for (const tab of ['ticket', 'token']) {
        await page.goto(at(`/platforms/${appid}?tab=${tab}`));
        await page.getByRole('button', { name: '重试' }).waitFor();
      }
    };
    await browser.visit({}, work, complaint);
  });
});
