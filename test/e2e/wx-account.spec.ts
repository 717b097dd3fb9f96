import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  tokenText,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import { ADMIN_TOKEN } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import type { TestApp } from '../support/test-app.js';
import { logLines } from '../support/test-log-lines.js';
import { addPlatform, HOUR, prime, secondHub } from '../support/token-world.js';
import { accountToken, apiKey, sdkCall } from '../support/wx-world.js';

const SEND = 'cgi-bin/message/custom/send';
const MESSAGE = { touser: 'fake_openid', msgtype: 'text', text: { content: 'hello' } };
const WRONG_KEY = `hub_${'0'.repeat(20)}_${'x'.repeat(43)}`;

describe.each(databaseKinds())('an account’s SDK at the drop-in address on %s', (kind) => {
  let test: TestApp;
  let account: string;
  let id: string;
  let key: string;
  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
    account = newAccount(test);
    await authorizeByEvent(test, account);
    ({ id, key } = await apiKey(test));
  });
  afterAll(() => test?.close());
  beforeEach(() => {
    test.simulator.removeFaults();
    test.simulator.clearCalls();
  });

  const tokenPath = (secret: string, appid = account): string =>
    `cgi-bin/token?grant_type=client_credential&appid=${appid}&secret=${secret}`;
  const send = (token: string, body: unknown = MESSAGE): Promise<Answer> =>
    sdkCall(test, `${SEND}?access_token=${token}`, body);
  const errcode = ({ json }: Answer): unknown => json?.errcode ?? 'none';

  it('gets a stand-in for its key, and calls with it', async () => {
    const { status, json, headers } = await sdkCall(test, tokenPath(key));
    expect({ status, json }).toEqual({
      status: 200,
      json: { access_token: expect.stringMatching(/^[\w-]{33,512}$/), expires_in: 7200 },
    });
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-type')).toBe('application/json; encoding=utf-8');
    expect(json.access_token).not.toContain(await tokenText(test, account));
    expect((await send(json.access_token)).json).toEqual({ errcode: 0, errmsg: 'ok' });
    expect(test.simulator.customMessages.last()).toContainEqual(
      expect.objectContaining({ account, touser: 'fake_openid' }),
    );
  });

  it.each(['application/json', 'application/x-www-form-urlencoded', 'text/plain', ''])(
    'gets one by stable_token with a body of type "%s", and forces no refresh at WeChat',
    async (type) => {
      const body = { grant_type: 'client_credential', appid: account, secret: key };
      const before = await tokenText(test, account);
      const { json } = await sdkCall(
        test,
        'cgi-bin/stable_token',
        { ...body, force_refresh: true },
        { headers: type === '' ? {} : { 'content-type': type } },
      );
      expect((await send(json.access_token)).json.errcode).toBe(0);
      expect(await tokenText(test, account)).toBe(before);
    },
  );

  it('moves files with it, byte by byte', async () => {
    const token = await accountToken(test, account, key);
    const file = randomBytes(200_000);
    const body = new FormData();
    body.set('media', new Blob([file], { type: 'image/png' }), 'a.png');
    const upload = await fetch(
      `${test.hub.url}/wx/cgi-bin/media/upload?access_token=${token}&type=image`,
      { method: 'POST', body },
    );
    const { media_id } = (await upload.json()) as { media_id: string };
    const download = await fetch(
      `${test.hub.url}/wx/cgi-bin/media/get?access_token=${token}&media_id=${media_id}`,
    );
    expect(download.headers.get('content-type')).toBe('image/png');
    expect(download.headers.get('content-disposition')).toContain('a.png');
    expect(Buffer.from(await download.arrayBuffer()).equals(file)).toBe(true);
  });

  it('never hears that WeChat has ended the token', async () => {
    const token = await accountToken(test, account, key);
    test.simulator.addFault({ path: `/${SEND}`, kind: 'errcode', errcode: 40001, times: 1 });
    expect(errcode(await send(token))).toBe(0);
    test.simulator.addFault({ path: `/${SEND}`, kind: 'errcode', errcode: 42001 });
    expect(errcode(await send(token))).toBe(-1);
  });

  it('may use on another host what one has given', async () => {
    const other = await secondHub(test);
    try {
      const token = await accountToken(test, account, key);
      const answer = await sdkCall(other, `${SEND}?access_token=${token}`, MESSAGE);
      expect(errcode(answer)).toBe(0);
    } finally {
      await other.close();
    }
  });

  describe('is answered', () => {
    it.each<[string, number, () => Promise<Answer>]>([
      ['a key that there is not', 40125, () => sdkCall(test, tokenPath(WRONG_KEY))],
      ['what is no key', 40125, () => sdkCall(test, tokenPath('secret-of-wechat'))],
      ['the admin token', 40125, () => sdkCall(test, tokenPath(ADMIN_TOKEN))],
      ['no secret', 41004, () => sdkCall(test, tokenPath(''))],
      ['an unknown account', 40013, () => sdkCall(test, tokenPath(key, 'wxunknown0000000'))],
      ['no token', 41001, () => sdkCall(test, SEND, MESSAGE)],
      ['an empty token', 41001, () => send('')],
      ['a forged token', 40001, () => send('A'.repeat(150))],
      ['the real token', 40001, async () => send(await tokenText(test, account))],
      ['a kept path', 48001, () => sdkCall(test, 'cgi-bin/clear_quota', { appid: account })],
      ['no path of WeChat’s', 40066, () => sdkCall(test, 'a.b/c')],
      ['two tokens', 47001, () => sdkCall(test, `${SEND}?access_token=a&access_token=b`, {})],
      [
        'no JSON',
        47001,
        () => sdkCall(test, 'cgi-bin/stable_token', undefined, { method: 'POST', body: 'a=b' }),
      ],
    ])('%s by %i', async (_, code, ask) => {
      const { status, json, headers } = await ask();
      expect([status, json]).toEqual([
        200,
        { errcode: code, errmsg: expect.stringMatching(/ rid: [\w-]{36}$/) },
      ]);
      expect(headers.get('content-type')).toBe('application/json; encoding=utf-8');
    });

    it.each<[string, object, number, number]>([
      ['another account', { authorizerAppIds: ['wx0000000000000001'] }, 40013, 0],
      ['another platform', { componentAppIds: ['wx0000000000000001'] }, 40013, 0],
      ['another network', { networks: ['192.0.2.0/24'] }, 40164, 0],
      ['the scope token:read', { scopes: ['token:read'] }, 48001, 0],
      ['another path', { paths: ['/cgi-bin/menu/'] }, 0, 48001],
    ])('a key limited to %s', async (_, values, atToken, atCall) => {
      const { key: limited } = await apiKey(test, values);
      const answer = await sdkCall(test, tokenPath(limited));
      expect(answer.json.errcode ?? 0).toBe(atToken);
      if (atToken === 0) expect(errcode(await send(answer.json.access_token))).toBe(atCall);
    });

    it('a key that has spent its minute by 45011', async () => {
      const { key: slow } = await apiKey(test, { requestsPerMinute: 1 });
      const token = await accountToken(test, account, slow);
      expect(errcode(await send(token))).toBe(45011);
    });

    it('a revoked key by 40125, and its stand-ins by 40001', async () => {
      const made = await apiKey(test);
      const token = await accountToken(test, account, made.key);
      await test.hub.request('DELETE', `/admin/api-keys/${made.id}`);
      expect(errcode(await send(token))).toBe(40001);
      expect(errcode(await sdkCall(test, tokenPath(made.key)))).toBe(40125);
    });

    it('stand-ins of a secret that was rotated away by 40001', async () => {
      const made = await apiKey(test);
      const token = await accountToken(test, account, made.key);
      const rotated = await test.hub.post(`/admin/api-keys/${made.id}/rotate`, {
        overlapSeconds: 0,
      });
      expect(rotated.status).toBe(200);
      expect(errcode(await send(token))).toBe(40001);
      expect(errcode(await send(await accountToken(test, account, rotated.json.key)))).toBe(0);
    });

    it('a POST on which WeChat is cut off by HTTP 504, which no SDK repeats', async () => {
      const token = await accountToken(test, account, key);
      test.simulator.addFault({ path: `/${SEND}`, kind: 'reset', times: 1 });
      expect((await send(token)).status).toBe(504);
    });

    it('an outage by -1 where nothing was sent', async () => {
      const token = await accountToken(test, account, key);
      const other = await secondHub(test, { WECHAT_API_BASE_URL: 'http://127.0.0.1:1' });
      try {
        const answer = await sdkCall(other, `${SEND}?access_token=${token}`, MESSAGE);
        expect([answer.status, errcode(answer)]).toEqual([200, -1]);
      } finally {
        await other.close();
      }
    });

    it('errors at wxa/get_qrcode as text: its SDKs take JSON for the picture', async () => {
      const { headers, json } = await sdkCall(test, 'wxa/get_qrcode');
      expect(headers.get('content-type')).toBe('text/plain');
      expect(json.errcode).toBe(41001);
    });

    it('a call that comes from a hub by 508', async () => {
      const answer = await sdkCall(test, SEND, MESSAGE, { headers: { 'x-component-hub': '1' } });
      expect(answer.status).toBe(508);
    });
  });

  it('leaves neither key nor stand-in in the log', async () => {
    const token = await accountToken(test, account, key);
    await send(token);
    await sdkCall(test, tokenPath(WRONG_KEY));
    for (const secret of [key, token, WRONG_KEY]) expect(logLines(secret)).toEqual([]);
    expect(id).toBeTruthy();
  });

  it('counts for the platform of the key where the account has authorized two', async () => {
    const second = await addPlatform(test);
    await prime(test, second.appid);
    await authorizeByEvent(test, account, second.appid);
    const used = async (secret: string): Promise<string | undefined> => {
      await send(await accountToken(test, account, secret));
      return test.simulator.customMessages.last().at(-1)?.component;
    };
    const platforms = test.simulator.state().components.map(({ appid }) => appid);
    expect(platforms).toContain(second.appid);
    for (const appid of platforms) {
      const { key: limited } = await apiKey(test, { componentAppIds: [appid] });
      expect(await used(limited)).toBe(appid);
    }
    // Both were authorized within the same millisecond of the test's clock.
    const ambiguous = await sdkCall(test, tokenPath(key));
    expect([errcode(ambiguous), ambiguous.json.errmsg]).toEqual([
      40013,
      expect.stringContaining(second.appid),
    ]);
  });

  it('hears that its account has withdrawn, and that a stand-in has ended', async () => {
    const gone = newAccount(test);
    await authorizeByEvent(test, gone);
    const token = await accountToken(test, gone, key);
    test.clock.advance(2 * HOUR);
    await prime(test);
    expect((await send(token)).json).toMatchObject({
      errcode: 42001,
      errmsg: expect.stringContaining('access_token expired'),
    });
    await test.simulator.accounts.withdraw(test.simulator.state().components[0]!.appid, gone, {
      push: true,
    });
    expect(errcode(await sdkCall(test, tokenPath(key, gone)))).toBe(61003);
  });
});
