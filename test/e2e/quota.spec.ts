import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';

const DOMAIN_IP = 'cgi-bin/get_api_domain_ip';

describe.each(databaseKinds())("WeChat's quota on %s", (kind) => {
  let test: TestApp;
  let account: string;
  let owners: Record<'platform' | 'account', { admin: string; proxy: string; action: string }>;
  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
    account = newAccount(test);
    await authorizeByEvent(test, account);
    owners = {
      platform: {
        admin: `/admin/components/${PLATFORM}`,
        proxy: `/proxy/components/${PLATFORM}`,
        action: 'component.clear_quota',
      },
      account: {
        admin: `/admin/authorizers/${PLATFORM}/${account}`,
        proxy: `/proxy/authorizers/${account}`,
        action: 'authorizer.clear_quota',
      },
    };
  });
  afterAll(() => test?.close());
  beforeEach(() => test.simulator.removeFaults());

  describe.each(['platform', 'account'] as const)('of a %s', (owner) => {
    it.each([DOMAIN_IP, `/${DOMAIN_IP}`])('is shown for %s', async (path) => {
      const { status, json } = await test.hub.get(`${owners[owner].admin}/quota?path=${path}`);
      expect(status).toBe(200);
      expect(json).toEqual({ quota: { daily_limit: 5000, used: 1, remain: 4999 } });
    });

    it('is shown with the reason why WeChat does not', async () => {
      const { status, json } = await test.hub.get(`${owners[owner].admin}/quota?path=nothing`);
      expect([status, json.error.code, json.error.errcode]).toEqual([
        502,
        'wechat_api_failed',
        76021,
      ]);
      expect((await test.hub.get(`${owners[owner].admin}/quota`)).status).toBe(400);
      expect((await test.hub.get(`${owners[owner].admin}/quota?path=a/../b`)).status).toBe(400);
    });

    it('can be cleared, which is audited and ends the pause of a path', async () => {
      const { admin, proxy, action } = owners[owner];
      test.simulator.addFault({ path: `/${DOMAIN_IP}`, kind: 'errcode', errcode: 45009, times: 1 });
      expect((await test.hub.get(`${proxy}/${DOMAIN_IP}`)).json.errcode).toBe(45009);
      expect((await test.hub.get(`${proxy}/${DOMAIN_IP}`)).status).toBe(429);
      const { status, json } = await test.hub.post(`${admin}/clear-quota`);
      expect({ status, json }).toEqual({ status: 200, json: { cleared: true } });
      expect((await test.hub.get(`${proxy}/${DOMAIN_IP}`)).json).toHaveProperty('ip_list');
      const { records } = (await test.hub.get(`/admin/audit?action=${action}`)).json;
      expect(records).toMatchObject([{ actor: 'admin', outcome: 'ok' }]);
    });

    it('is cleared ten times a month, and a refusal is audited', async () => {
      const { admin, action } = owners[owner];
      for (let time = 2; time <= 10; time += 1) {
        expect((await test.hub.post(`${admin}/clear-quota`)).status).toBe(200);
      }
      const { status, json } = await test.hub.post(`${admin}/clear-quota`);
      expect([status, json.error.errcode]).toEqual([502, 48006]);
      const { records } = (await test.hub.get(`/admin/audit?action=${action}&limit=1`)).json;
      expect(records).toMatchObject([{ outcome: 'wechat_api_failed' }]);
    });

    it('is cleared by keys with the scope admin alone', async () => {
      const { json } = await test.hub.post('/admin/api-keys', {
        name: 'reader',
        scopes: ['admin:read'],
      });
      const headers = { authorization: `Bearer ${json.key}` };
      const { admin } = owners[owner];
      const quota = await test.hub.request('GET', `${admin}/quota?path=${DOMAIN_IP}`, { headers });
      const clear = await test.hub.request('POST', `${admin}/clear-quota`, { headers });
      expect([quota.status, clear.status]).toEqual([200, 403]);
    });
  });

  it('of what is unknown is 404', async () => {
    const paths = ['/admin/components/wxnobody', `/admin/authorizers/${PLATFORM}/wxnobody`];
    for (const path of paths) {
      expect((await test.hub.post(`${path}/clear-quota`)).status).toBe(404);
      expect((await test.hub.get(`${path}/quota?path=${DOMAIN_IP}`)).status).toBe(404);
    }
  });
});
