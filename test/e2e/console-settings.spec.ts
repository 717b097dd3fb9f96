import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  browsers,
  ConsoleBrowser,
  faultsOf,
  overflow,
  signInAt,
} from '../support/console-browser.js';
import { ADMIN_TOKEN } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const HOSTILE = '<img src=x onerror=alert(1)> مرحبا.exe';

describe.each(browsers())('settings and the audit trail in the console, in %s', () => {
  let test: TestApp;
  let browser: ConsoleBrowser;
  const at = (path: string): string => `${test.hub.url}/console${path}`;

  beforeAll(async () => {
    test = await createTestApp({ database: 'sqlite' });
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

  it('an operator is invited, a key is made once and revoked, and the audit trail has both', async () => {
    await browser.visit({ viewport: { width: 1280, height: 900 } }, async (page) => {
      await signInAt(page, at('/settings?tab=nonsense'));
      await page.getByRole('button', { name: '添加操作员' }).click();
      await page.getByLabel('名称').fill(HOSTILE);
      await page.getByRole('dialog').getByRole('button', { name: '添加操作员' }).click();
      const stepUp = page.getByRole('dialog').filter({ hasText: 'ADMIN_TOKEN' });
      const link = page.getByText('/console/#/welcome?invitation=');
      await stepUp.or(link).first().waitFor();
      if (await stepUp.isVisible()) {
        await stepUp.locator('input').fill(ADMIN_TOKEN);
        await stepUp.locator('button[type=submit]').click();
      }
      await link.waitFor();
      await page.locator('table').getByText(HOSTILE).waitFor();
      await expectWell(page);

      await page.getByRole('link', { name: '接口密钥' }).click();
      await page.getByRole('button', { name: '新建密钥' }).click();
      await page.getByLabel('名称').fill('reports');
      await page.getByLabel('来源网络').fill('10.0.0.0/8');
      await page.getByRole('dialog').getByRole('button', { name: '新建密钥' }).click();
      const shown = page.getByRole('region', { name: 'reports 的密钥' });
      const key = (await shown.innerText()).trim();
      expect(key.length).toBeGreaterThan(20);
      await expectWell(page);
      await page.getByRole('button', { name: '我已保存' }).click();
      await page.getByText('10.0.0.0/8').waitFor();
      expect(await page.content()).not.toContain(key);

      // What the key had is there to be changed, the end to the minute; what is emptied is no limit.
      await page.getByRole('button', { name: '修改' }).click();
      const drawer = page.getByRole('dialog', { name: '修改密钥' });
      expect(await drawer.getByLabel('来源网络').inputValue()).toBe('10.0.0.0/8');
      await drawer.getByLabel('来源网络').fill('');
      await drawer.getByLabel('名称').fill('daily reports');
      await drawer.getByText('token:refresh').click();
      await drawer.getByLabel('有效期至').fill('2030-01-02T03:04');
      await expectWell(page);
      await drawer.getByRole('button', { name: '保存' }).click();
      await page.locator('table').getByText('daily reports').waitFor();
      const changed = { name: 'daily reports', networks: null, revokedAt: null };
      const { keys } = (await test.hub.get('/admin/api-keys')).json;
      expect(keys[0]).toMatchObject({ ...changed, scopes: ['token:read', 'token:refresh'] });
      await page.getByRole('button', { name: '修改' }).click();
      expect(await drawer.getByLabel('有效期至').inputValue()).toBe('2030-01-02T03:04');
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: '吊销' }).click();
      await page.getByRole('button', { name: '吊销 daily reports' }).click();
      await page.locator('table .pill[data-tone=none]').waitFor();

      for (const tab of ['sessions', 'instance', 'own']) {
        await page.goto(at(`/settings?tab=${tab}`));
        await page.locator('main table, main h2').first().waitFor();
        await expectWell(page);
      }
      await page.goto(at('/audit?from=nonsense&actorKind=nobody'));
      await page.locator('tbody tr').nth(3).waitFor();
      await expectWell(page);
    });
  }, 60_000);

  it('fits a phone, in English and dark', async () => {
    const phone = { viewport: { width: 375, height: 800 }, colorScheme: 'dark', locale: 'en' };
    await browser.visit(phone as never, async (page) => {
      await signInAt(page, at('/settings'));
      for (const path of ['keys', 'operators', 'sessions', 'instance', 'own']) {
        await page.goto(at(`/settings?tab=${path}`));
        await page.locator('main h2, main [role=list], main li').first().waitFor();
        await expectWell(page);
      }
      await page.goto(at('/audit'));
      await page.locator('main li').first().waitFor();
      await expectWell(page);
    });
  });
});
