import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AUTHORIZER_TOKEN,
  authorizeByEvent,
  authorizerHub,
  authorizerTick,
  calls,
  importAll,
  newAccount,
  newAccounts,
  PLATFORM,
} from '../support/authorizer-world.js';
import {
  browsers,
  ConsoleBrowser,
  faultsOf,
  overflow,
  settled,
  signInAt,
} from '../support/console-browser.js';
import { addOperator } from '../support/console-world.js';
import type { TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';

const HOSTILE = `<img src=x onerror=alert(1)> \u202Egnp.exe ${'长'.repeat(60)}`;
const RETURN_ORIGIN = 'https://app.example.com';

describe.each(browsers())('accounts and their links in the console, in %s', () => {
  let test: TestApp;
  let browser: ConsoleBrowser;
  let good: string;
  let poor: string;
  let hostile: string;
  const at = (path: string): string => `${test.hub.url}/console${path}`;

  beforeAll(async () => {
    const env = { AUTHORIZATION_RETURN_ORIGINS: RETURN_ORIGIN };
    test = await authorizerHub({ database: 'sqlite', env });
    newAccounts(test, 55, { authorizedTo: PLATFORM, kind: 'mini_program' });
    await importAll(test);
    good = newAccount(test, { nickName: '示例咖啡', principalName: '上海示例餐饮有限公司' });
    poor = newAccount(test, { nickName: 'Tea House', funcInfo: [1, 2] });
    hostile = newAccount(test, { nickName: HOSTILE, principalName: HOSTILE });
    for (const appid of [good, poor, hostile]) await authorizeByEvent(test, appid);
    await authorizerTick(test);
    browser = await ConsoleBrowser.start();
  });
  afterAll(async () => {
    await browser?.close();
    await test?.close();
  });

  async function expectWell(page: Page, shot: string): Promise<void> {
    expect(await faultsOf(page)).toEqual([]);
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    const { SHOTS } = process.env;
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/${shot}.png`, fullPage: true });
  }
  const row = (page: Page, text: string) => page.locator('[data-row]').filter({ hasText: text });

  it('lists accounts, finds them by the address, goes on by pages, and compares them with WeChat’s list', async () => {
    await browser.visit({ viewport: { width: 1280, height: 900 } }, async (page) => {
      await signInAt(page, at('/accounts'));
      await row(page, 'wx').first().waitFor();
      expect(await page.locator('[data-row]').count()).toBe(50);
      await expectWell(page, 'accounts');
      await page.getByRole('button', { name: '加载更多' }).click();
      await row(page, good).waitFor();
      expect(await page.locator('[data-row]').count()).toBe(58);

      await page.getByLabel('搜索').fill('示例');
      await page.getByLabel('搜索').press('Enter');
      await page.waitForURL(/search=/);
      await expect.poll(() => page.locator('[data-row]').count()).toBe(1);
      await page.goto(at('/accounts?lacks=15&type=official_account'));
      await row(page, 'Tea House').waitFor();
      expect(await page.locator('[data-row]').count()).toBe(1);
      const csv = await page.getByRole('link', { name: '导出 CSV' }).getAttribute('href');
      expect(csv).toBe('/admin/authorizers/export?type=official_account&lacks=15');
      // What makes no sense in the address counts as not set.
      await page.goto(at('/accounts?lacks=%00&type=%3Cscript%3E&status=,&failing=7&tab=9'));
      await expect.poll(() => page.locator('[data-row]').count()).toBe(50);
      await page.goto(at('/accounts?search=no-such-account'));
      await page.getByText('没有符合条件的记录').waitFor();
      await page.getByRole('button', { name: '同步授权账号' }).click();
      await page.getByText('同步完成，共核对 58 个账号', { exact: true }).waitFor();
    });
  }, 60_000);

  it('shows what others write as text', async () => {
    await browser.visit({ viewport: { width: 375, height: 800 } }, async (page) => {
      await signInAt(page, at(`/accounts?search=${hostile}`));
      await row(page, '<img src=x').waitFor();
      expect(await page.locator('main img').count()).toBe(0);
      await expectWell(page, 'accounts-hostile-375');
      await page.goto(at(`/accounts/${PLATFORM}/${hostile}?tab=raw`));
      await page.locator('pre').getByText('<img src=x').waitFor();
      expect(await page.locator('main img').count()).toBe(0);
      await expectWell(page, 'account-hostile-375');
    });
  });

  it('opens an account: what happened, its sets, its token, its options', async () => {
    await browser.visit(
      { viewport: { width: 1280, height: 900 } },
      async (page) => {
        await signInAt(page, at('/accounts?search=Tea'));
        await row(page, 'Tea House').waitFor();
        await page.keyboard.press('j');
        await page.keyboard.press('Enter');
        await page.waitForURL(new RegExp(`/accounts/${PLATFORM}/${poor}`));
        await page.getByText('授权成功 · authorized').waitFor();
        await page.getByText('消息管理、用户管理').waitFor();
        await expectWell(page, 'account-timeline');

        await page.getByRole('tab', { name: '权限集' }).click();
        await page.waitForURL(/tab=sets/);
        const lacking = page.locator('.sets > li').filter({ hasText: '其他账号已授权' });
        await expect.poll(() => lacking.count()).toBe(4);
        await page
          .locator('.sets > li')
          .filter({ hasText: '网页服务' })
          .getByText('互斥')
          .waitFor();
        await expectWell(page, 'account-sets');

        await page.getByRole('tab', { name: '令牌' }).click();
        const refreshes = calls(test, AUTHORIZER_TOKEN);
        test.clock.advance(11_000);
        await page.getByRole('button', { name: '立即刷新' }).click();
        await page.getByText('令牌已刷新', { exact: true }).waitFor();
        expect(calls(test, AUTHORIZER_TOKEN)).toBe(refreshes + 1);
        await expectWell(page, 'account-token');

        // Nothing asks WeChat before somebody does.
        const options = (): number => calls(test, '/cgi-bin/component/api_get_authorizer_option');
        await page.getByRole('tab', { name: '选项' }).click();
        const read = page.getByRole('button', { name: '读取' });
        await read.first().waitFor();
        expect(options()).toBe(0);
        await read.nth(1).click();
        await page.getByLabel('语音识别').waitFor();
        expect(options()).toBe(1);
        await page.getByLabel('语音识别').selectOption('1');
        await page.getByRole('alertdialog').getByRole('button', { name: '修改语音识别' }).click();
        await page.getByText('语音识别已修改', { exact: true }).waitFor();
        await expectWell(page, 'account-options');

        await page.getByRole('button', { name: '刷新信息' }).click();
        await page.getByText('账号信息已更新', { exact: true }).waitFor();
        for (const tab of ['消息', '原始信息']) {
          await page.getByRole('tab', { name: tab }).click();
          await settled(page);
          await expectWell(page, `account-${tab}`);
        }
        await page.goto(at(`/accounts/${PLATFORM}/wx-no-such?tab=%00`));
        await page.getByRole('alert').getByText('没有这个授权账号').waitFor();
      },
      /status of 40[14]/,
    );
  });

  it('leads an account that has to authorize again to the page for that', async () => {
    await sql(test).query(
      `UPDATE authorizer SET status = 'needs_reauthorization' WHERE authorizer_appid = '${good}'`,
    );
    await browser.visit({ colorScheme: 'dark' }, async (page) => {
      await signInAt(page, at(`/accounts/${PLATFORM}/${good}`));

      await page.getByText('此账号需要重新授权').waitFor();
      await page.getByText(`/authorize/${PLATFORM}?biz_appid=${good}`).waitFor();
      await expectWell(page, 'account-needs-dark');
      await page.getByRole('link', { name: '生成二维码' }).click();
      await page.waitForURL(/\/links\?/);
      await page.getByRole('img', { name: '授权页二维码' }).waitFor();

      await page.goto(at('/accounts?status=needs_reauthorization'));
      await row(page, good)
        .getByRole('button', { name: /复制 重新授权页地址/ })
        .waitFor();
    });
  });

  it('makes the address and the code of the page; one-time links when they are asked for', async () => {
    await browser.visit({ viewport: { width: 1280, height: 900 } }, async (page) => {
      await signInAt(page, at('/links'));
      const address = page.locator('.links-result .links-address .mono');
      await address.waitFor();
      expect(await address.innerText()).toMatch(new RegExp(`/authorize/${PLATFORM}$`));
      await page.getByLabel('可授权的账号类型').selectOption('1');
      await page.locator('summary').filter({ hasText: '权限集' }).click();
      await page.getByLabel('消息管理', { exact: true }).check();
      await page.getByLabel('菜单管理', { exact: true }).check();
      await page.getByLabel('授权后返回地址').fill('https://evil.example.test/');
      await page.getByLabel('授权后返回地址').blur();
      await page.getByText('此来源不在 AUTHORIZATION_RETURN_ORIGINS 之中').first().waitFor();
      expect(await address.count()).toBe(0);
      await page.getByLabel('授权后返回地址').fill(`${RETURN_ORIGIN}/back`);
      await page.getByLabel('授权后返回地址').blur();
      await page.getByLabel('state').fill('订单 & 1');
      await page.getByLabel('state').blur();
      await address.waitFor();
      const url = new URL(await address.innerText());
      expect(Object.fromEntries(url.searchParams)).toEqual({
        auth_type: '1',
        category_id_list: '1|15',
        state: '订单 & 1',
        return_to: `${RETURN_ORIGIN}/back`,
      });
      const shown = await test.hub.get(url.pathname + url.search);
      expect(shown.status).toBe(200);
      await page.locator('.links-result .qr path[d^="M"]').waitFor();
      const download = page.waitForEvent('download');
      await page.getByRole('button', { name: '下载 PNG' }).click();
      expect((await download).suggestedFilename()).toBe('authorization.png');
      await expectWell(page, 'links');

      const codes = (): number => calls(test, '/cgi-bin/component/api_create_preauthcode');
      const before = codes();
      await page.locator('summary').filter({ hasText: '一次性链接' }).click();
      await page.getByRole('button', { name: '生成一次性链接' }).click();
      await page.getByRole('timer').waitFor();
      expect(codes()).toBeGreaterThan(before);
      expect(await page.locator('.links-expert .links-address').count()).toBe(2);
      expect(await page.locator('main .qr').count()).toBe(1);
      await expectWell(page, 'links-expert');

      await page.emulateMedia({ media: 'print' });
      await page.locator('.print-sheet').getByText('微信账号授权说明').waitFor();
      expect(await page.locator('main').isVisible()).toBe(false);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/sheet.png` });
    });
  });

  it('keeps its bars on a phone, in English and in the dark', async () => {
    const look = { locale: 'en-GB', colorScheme: 'dark' as const };
    await browser.visit({ ...look, viewport: { width: 375, height: 800 } }, async (page) => {
      await signInAt(page, at('/accounts?search=Tea'));
      await row(page, 'Tea House').waitFor();
      await expectWell(page, 'accounts-375');
      for (const tab of ['timeline', 'sets', 'token', 'messages', 'options', 'raw']) {
        await page.goto(at(`/accounts/${PLATFORM}/${poor}?tab=${tab}`));
        await page.getByRole('tabpanel').waitFor();
        await settled(page);
        if (['timeline', 'sets'].includes(tab)) await expectWell(page, `account-${tab}-375`);
        else expect(await overflow(page)).toBeLessThanOrEqual(0);
      }
      await page.goto(at(`/links?auth_type=99&category_id_list=x&biz_appid=${'w'.repeat(64)}`));
      await page.getByRole('img', { name: /QR code/ }).waitFor();
      await page.getByText('This does not look like an AppID').waitFor();
      await settled(page);
      await expectWell(page, 'links-375');
    });
  }, 60_000);

  it('lets a viewer look, and act nowhere', async () => {
    const { password } = await addOperator(test.hub, { name: 'Vera', role: 'viewer' });
    await browser.visit({}, async (page) => {
      await page.goto(at('/accounts'));
      await page.getByRole('tab', { name: '操作员' }).click();
      await page.getByLabel('操作员名称').fill('Vera');
      await page.locator('input[type=password]').fill(password);
      await page.locator('button[type=submit]').click();
      await row(page, 'wx').first().waitFor();
      expect(await page.getByRole('button', { name: '同步授权账号' }).isDisabled()).toBe(true);
      await page.goto(at(`/accounts/${PLATFORM}/${poor}?tab=token`));
      await page.getByText('您的角色不能执行此操作').waitFor();
      for (const name of ['立即刷新', '刷新信息']) {
        expect(await page.getByRole('button', { name }).isDisabled()).toBe(true);
      }
      await page.goto(at('/links'));
      await page.locator('summary').filter({ hasText: '一次性链接' }).click();
      expect(await page.getByRole('button', { name: '生成一次性链接' }).isDisabled()).toBe(true);
    });
  });

  it.each([
    [
      'an error',
      '/accounts',
      { json: { error: { code: 'internal_error', message: 'x', id: 'r-7' } } },
    ],
    [
      'a page',
      '/links',
      { contentType: 'text/html', body: '<h1>Bad</h1><script>alert(1)</script>' },
    ],
  ])(
    'says that the hub answers %s, and goes on when it is well again',
    async (__, path, answer) => {
      const work = async (page: Page): Promise<void> => {
        await signInAt(page, at('/settings'));
        const routes = /\/admin\/(authorizers|authorizations|instance)/;
        await page.route(routes, (route) => route.fulfill({ status: 500, ...answer }));
        await page.goto(at(path));
        const alert = page.locator('main').getByRole('alert').first();
        await alert.waitFor();
        expect(await page.locator('h1').filter({ hasText: 'Bad' }).count()).toBe(0);
        await page.unroute(routes);
        await alert.getByRole('button', { name: '重试' }).click();
        await page
          .getByRole(path === '/links' ? 'img' : 'link', { name: /授权页二维码|Account/ })
          .first()
          .waitFor();
      };
      await browser.visit({}, work, /status of (401|500)/);
    },
  );
});
