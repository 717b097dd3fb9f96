import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EventFields } from '../../simulator/push-text.js';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { TestApp } from '../support/test-app.js';
import { sql } from '../support/token-world.js';

/** InfoType, fields as they come, fields as they are shown, the account they are about. */
const TABLE: [string, EventFields, Record<string, unknown>, string | null][] = [
  [
    'notify_third_fasteregister',
    {
      appid: 'wxnew',
      status: 100_003,
      msg: 'not confirmed',
      info: { name: 'ACME', code: '0123', code_type: 1, legal_persona_name: 'Li' },
    },
    {
      appid: 'wxnew',
      status: 100_003,
      msg: 'not confirmed',
      info: { name: 'ACME', code: '0123', code_type: 1, legal_persona_name: 'Li' },
    },
    'wxnew',
  ],
  [
    'notify_third_fastregisterbetaapp',
    { appid: 'wxbeta', status: 0, msg: 'OK', info: { unique_id: '7', name: 'Beta' } },
    { status: 0, info: { unique_id: '7', name: 'Beta' } },
    'wxbeta',
  ],
  [
    'notify_third_fastverifybetaapp',
    { appid: 'wxbeta', status: 0, msg: 'OK', info: { name: 'Beta', code_type: 2 } },
    { status: 0, info: { name: 'Beta', code_type: 2 } },
    'wxbeta',
  ],
  [
    'notify_3rd_wxa_auth',
    { appid: 'wxa', task_status: 4, message: 'm', taskid: '0009', apply_status: 2 },
    { task_status: 4, taskid: '0009', apply_status: 2 },
    'wxa',
  ],
  [
    'notify_3rd_wxa_wxverify',
    { appid: 'wxv', expired: 1_800_000_000, message: 'm' },
    { expired: 1_800_000_000 },
    'wxv',
  ],
  [
    'notify_3rd_wxa_auth_and_icp',
    { procedure_id: '0042', procedure_status: 3 },
    { procedure_id: '0042', procedure_status: 3 },
    null,
  ],
  [
    'notify_icpfiling_verify_result',
    { task_id: '01', verify_appid: 'wxicp', result: 3, along_with_auth_result: 1 },
    { task_id: '01', result: 3, along_with_auth_result: 1 },
    'wxicp',
  ],
  [
    'notify_apply_icpfiling_result',
    { authorizer_appid: 'wxbeian', beian_status: 6 },
    { beian_status: 6 },
    'wxbeian',
  ],
  [
    'order_path_apply_result_notify',
    { list: [{ appid: 'wx1', ret_code: 0 }] },
    { list: [{ appid: 'wx1', ret_code: 0 }] },
    null,
  ],
];

describe.each(databaseKinds())('the events of authorizations on %s', (kind) => {
  let test: TestApp;
  const events = async (query = ''): Promise<any> =>
    (await test.hub.get(`/admin/authorizations/events?component=${PLATFORM}${query}`)).json;

  beforeAll(async () => {
    test = await authorizerHub({ database: kind });
  });
  afterAll(() => test.close());

  it.each(TABLE)('show %s with its fields typed', async (infoType, fields, shown, account) => {
    const { body } = await test.simulator.accounts.pushEvent(PLATFORM, infoType, fields);
    expect(body).toBe('success');
    const { events: found } = await events(`&infoType=${infoType}`);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      infoType,
      typed: true,
      authorizerAppId: account,
      fields: shown,
      createTime: expect.any(String),
    });
  });

  it('show the others beside one that cannot be decrypted', async () => {
    await test.simulator.accounts.pushEvent(PLATFORM, 'notify_of_2030', { a: '1' });
    await test.simulator.accounts.pushEvent(PLATFORM, 'notify_of_2030', { a: '2' });
    const [newest] = (await events('&infoType=notify_of_2030')).events;
    await sql(test).query('UPDATE callback_event SET payload = ? WHERE id = ?', [
      'enc:v1:other:AAAA',
      newest.id,
    ]);
    const found = (await events('&infoType=notify_of_2030')).events;
    expect(found).toMatchObject([
      { id: newest.id, fields: {}, error: { code: 'secret_unreadable' } },
      { fields: { a: '1' } },
    ]);
    await sql(test).query('DELETE FROM callback_event WHERE id = ?', [newest.id]);
  });

  it('keep an unknown one as it came, and one whose fields are not as documented', async () => {
    await test.simulator.accounts.pushEvent(PLATFORM, 'notify_of_2031', { a: { b: '1' }, n: 7 });
    await test.simulator.accounts.pushEvent(PLATFORM, 'notify_3rd_wxa_wxverify', {
      expired: 'soon',
    });
    expect((await events('&infoType=notify_of_2031')).events[0]).toMatchObject({
      typed: false,
      fields: { a: { b: '1' }, n: '7' },
    });
    expect((await events('&infoType=notify_3rd_wxa_wxverify')).events[0]).toMatchObject({
      typed: false,
      fields: { expired: 'soon' },
    });
  });

  it.each([
    ['authorized', { AuthorizerAppid: 'wxa' }],
    ['authorized', { AuthorizationCode: 'queryauthcode@@@x' }],
    ['updateauthorized', { AuthorizerAppid: 'x'.repeat(65), AuthorizationCode: 'c' }],
    ['unauthorized', {}],
    ['unauthorized', { AuthorizerAppid: { nested: 'x' } }],
    ['notify_third_fasteregister', { status: 0, appid: 'wxa' }],
  ])('record %s with %j, which does nothing', async (infoType, fields) => {
    const { body } = await test.simulator.accounts.pushEvent(
      PLATFORM,
      infoType,
      fields as EventFields,
    );
    expect(body).toBe('success');
    const { events: found } = await events(`&infoType=${infoType}`);
    expect(found[0].infoType).toBe(infoType);
    expect((await test.hub.get('/admin/authorizers')).json.authorizers).toEqual([]);
  });

  it('show that an account authorized, without the codes that would let others do it', async () => {
    const account = newAccount(test);
    await authorizeByEvent(test, account);
    const { events: found } = await events('&infoType=authorized');
    expect(found[0]).toMatchObject({
      authorizerAppId: account,
      fields: {
        AuthorizationCode: '[secret]',
        PreAuthCode: '[secret]',
        AuthorizationCodeExpiredTime: expect.any(Number),
      },
    });
  });

  it('come newest first, page by page, without the tickets', async () => {
    const all = (await events()).events as { id: string; infoType: string }[];
    const seen = [];
    let before = '';
    for (;;) {
      const page = await events(`&limit=3${before}`);
      seen.push(...page.events);
      if (page.next === null) break;
      before = `&before=${page.next}`;
    }
    expect(seen).toEqual(all);
    expect(all.map(({ id }) => id)).toEqual(
      all
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    );
    expect(all.some(({ infoType }) => infoType === 'component_verify_ticket')).toBe(false);
    expect((await test.hub.get('/admin/authorizations/events')).json.events).toEqual(all);
  });
});
