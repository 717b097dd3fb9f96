import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  authorizerTick,
  breakPath,
  newAccount,
  PLATFORM,
  QUERY_AUTH,
} from '../support/authorizer-world.js';
import { databaseKinds } from '../support/databases.js';
import type { Answer } from '../support/hub-client.js';
import type { TestApp } from '../support/test-app.js';
import { addPlatform, repair, MINUTE, prime, secondHub } from '../support/token-world.js';

const ORIGIN = 'https://app.example.com';
const RESULT_MINUTES = 10;

describe.each(databaseKinds())('the result of an authorization on %s', (kind) => {
  let test: TestApp;
  let other: TestApp;
  const env = { AUTHORIZATION_RETURN_ORIGINS: ORIGIN };
  beforeAll(async () => {
    test = await authorizerHub({ database: kind, env });
    other = await secondHub(test, env);
  });
  afterAll(async () => {
    await other.close();
    await test.close();
  });

  /** A request of a service of ours; the address that WeChat sends the browser back to. */
  async function begin(state?: string, component = PLATFORM): Promise<string> {
    const { json, text } = await test.hub.post('/admin/authorizations/links', {
      componentAppId: component,
      returnTo: `${ORIGIN}/done?keep=1`,
      ...(state !== undefined && { state }),
    });
    if (!json.pc) throw new Error(text);
    const back = new URL(new URL(json.pc).searchParams.get('redirect_uri') ?? '');
    return back.pathname + back.search;
  }

  async function consent(account = newAccount(test), component = PLATFORM) {
    const { code, event } = await test.simulator.accounts.authorize(component, account, {
      push: false,
    });
    return { account, code, event };
  }

  const comeBack = (way: string, code?: string, hub = test.hub): Promise<Answer> => {
    const query = code === undefined ? '' : `&auth_code=${encodeURIComponent(code)}`;
    return hub.request('GET', way + query, { redirect: 'manual' });
  };
  const location = ({ headers }: Answer) => headers.get('location');
  /** The id with which a browser is sent on. */
  const idOf = (answer: Answer): string =>
    new URL(location(answer) ?? '').searchParams.get('result_id') ?? '';
  const redeem = (id: string, hub = test.hub) => hub.get(`/api/authorizations/${id}`);

  it('is not in the address, but for one reading of whom the id was given to', async () => {
    const state = 'a&b=c d#é"<';
    const way = await begin(state);
    const { account, code } = await consent();
    const back = await comeBack(way, code);
    expect([back.status, back.headers.get('cache-control')]).toEqual([302, 'no-store']);
    const target = new URL(location(back) ?? '');
    expect(target.origin + target.pathname).toBe(`${ORIGIN}/done`);
    expect([...target.searchParams.keys()].toSorted()).toEqual(['keep', 'result_id']);
    const id = idOf(back);
    const anonymous = { headers: { authorization: '' } };
    expect((await test.hub.request('GET', `/api/authorizations/${id}`, anonymous)).status).toBe(
      401,
    );
    // A HEAD would hand it out to nobody.
    const { status } = await test.hub.request('HEAD', `/api/authorizations/${id}`);
    expect(status).toBe(405);
    expect(await redeem(id)).toMatchObject({
      status: 200,
      json: {
        outcome: 'authorized',
        componentAppId: PLATFORM,
        authorizerAppId: account,
        state,
        error: null,
      },
    });
    const trail = await test.hub.get('/admin/audit?action=authorization.redeem');
    expect(trail.json.records).toMatchObject([{ target: `${PLATFORM}/${account}`, outcome: 'ok' }]);
    expect(trail.text).not.toContain(id);
    for (const hub of [test.hub, other.hub]) {
      expect(await redeem(id, hub)).toMatchObject({
        status: 410,
        json: { error: { code: 'authorization_result_gone' } },
      });
    }
    // Whatever is done with the same address again gives no second proof.
    expect((await redeem(idOf(await comeBack(way, code)))).status).toBe(410);
  });

  it('is listed with where it came from and what came of it, without codes', async () => {
    const listed = async (query: string) => {
      const { json, text } = await test.hub.get(`/admin/authorizations?${query}`);
      return { ...json, text };
    };
    await begin();
    await comeBack(await begin());
    const { account, code } = await consent();
    await comeBack(await begin(), code);
    const pushed = newAccount(test);
    await authorizeByEvent(test, pushed);
    const { authorizations, text } = await listed('limit=200');
    expect(text).not.toContain(code);
    const shown = authorizations.map((one: Record<string, unknown>) => [
      one['source'],
      one['outcome'],
      one['authorizerAppId'],
    ]);
    expect(shown).toEqual(
      expect.arrayContaining([
        ['link', 'open', null],
        ['link', 'cancelled', null],
        ['link', 'authorized', account],
        ['authorized', 'authorized', pushed],
      ]),
    );
    const singles = [];
    let next = '';
    do {
      const page = await listed(`limit=1&component=${PLATFORM}${next && `&before=${next}`}`);
      singles.push(...page.authorizations);
      next = page.next ?? '';
    } while (next !== '');
    expect(singles).toEqual((await listed('limit=200')).authorizations);
    expect(singles.length).toBeGreaterThanOrEqual(4);
    expect((await listed('component=wxnobody')).authorizations).toEqual([]);
    expect((await test.hub.get('/admin/authorizations?before=x')).status).toBe(400);
  });

  it('is given once to 20 that ask two hosts at once', async () => {
    const way = await begin();
    const { code } = await consent();
    const id = idOf(await comeBack(way, code));
    expect(idOf(await comeBack(way, code, other.hub))).toBe(id);
    const asked = Array.from({ length: 20 }, (_, n) => redeem(id, n % 2 ? test.hub : other.hub));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 410)).toHaveLength(19);
  });

  it('is unknown under an id that the hub did not make', async () => {
    const id = idOf(await comeBack(await begin(), (await consent()).code));
    const last = id.at(-5) === 'A' ? 'B' : 'A';
    const request = /request=([\w-]+)/.exec(await begin())?.[1] ?? '';
    const forged = [
      id.slice(0, -5) + last + id.slice(-4),
      id.toUpperCase(),
      id.slice(0, -1),
      `${id}A`,
      id.replaceAll('-', '').slice(0, 32),
      request,
      request.replaceAll('-', '') + id.slice(32),
      'x',
    ];
    for (const one of forged) expect([one, (await redeem(one)).status]).toEqual([one, 404]);
    expect((await redeem(id)).status).toBe(200);
  });

  it('is gone after some minutes', async () => {
    const [way, late] = [await begin(), await begin()];
    const id = idOf(await comeBack(way, (await consent()).code));
    const lateId = idOf(await comeBack(late, (await consent()).code));
    test.clock.advance(RESULT_MINUTES * MINUTE - 1000);
    expect((await redeem(id)).status).toBe(200);
    test.clock.advance(2000);
    expect((await redeem(lateId)).status).toBe(410);
    await prime(test);
  });

  /** A refusal that says nothing of anybody. */
  function expectNothing(answer: Answer, ...words: string[]): void {
    expect([answer.status, location(answer)]).toEqual([409, null]);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    for (const word of words) expect(answer.text).not.toContain(word);
  }

  it.each(['redirect', 'event', 'return without a request'])(
    'of a code that came by %s is nobody else’s, and costs their request nothing',
    async (first) => {
      const { account, code, event } = await consent();
      const customers = await begin('the customer’s');
      if (first === 'redirect') expect((await comeBack(customers, code)).status).toBe(302);
      else if (first === 'event') expect((await test.hub.push(event!)).text).toBe('success');
      else {
        const answer = await comeBack(`/authorize/${PLATFORM}/callback?x=1`, code);
        expect(answer.text).toContain(account);
      }
      test.clock.advance(MINUTE);
      const strangers = await begin('the stranger’s');
      expectNothing(await comeBack(strangers, code), account, 'stranger');
      if (first === 'redirect') {
        expectNothing(await comeBack(`/authorize/${PLATFORM}/callback?x=1`, code), account);
      }
      // The customer's own way back goes on working, as does the stranger's with a code of its own.
      if (first === 'redirect') {
        const mine = await redeem(idOf(await comeBack(customers, code)));
        expect(mine.json).toMatchObject({ authorizerAppId: account, state: 'the customer’s' });
      }
      const own = await consent();
      const { json } = await redeem(idOf(await comeBack(strangers, own.code)));
      expect(json).toMatchObject({ authorizerAppId: own.account, state: 'the stranger’s' });
    },
  );

  it('is of the first code that a request brings', async () => {
    const way = await begin();
    const [first, second] = [await consent(), await consent()];
    const id = idOf(await comeBack(way, first.code));
    expectNothing(await comeBack(way, second.code), second.account);
    expect((await redeem(id)).json.authorizerAppId).toBe(first.account);
  });

  it('goes to a request that was there before the event of its code', async () => {
    const way = await begin('s');
    test.clock.advance(MINUTE);
    const { account, code, event } = await consent();
    await test.hub.push(event!);
    const { json } = await redeem(idOf(await comeBack(way, code)));
    expect(json).toMatchObject({ authorizerAppId: account, state: 's' });
  });

  it('goes to one of two requests that bring one code to two hosts at once', async () => {
    const ways = await Promise.all([begin('1'), begin('2')]);
    const { account, code } = await consent();
    const answers = await Promise.all(
      ways.map((way, n) => comeBack(way, code, n ? test.hub : other.hub)),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([302, 409]);
    const winner = answers.findIndex(({ status }) => status === 302);
    const { json } = await redeem(idOf(answers[winner] as Answer));
    expect(json).toMatchObject({ authorizerAppId: account, state: String(winner + 1) });
  });

  it('says that WeChat refused the code, without an account', async () => {
    const id = idOf(await comeBack(await begin('s'), 'queryauthcode@@@nonsense'));
    expect((await redeem(id)).json).toMatchObject({
      outcome: 'failed',
      authorizerAppId: null,
      state: 's',
      error: 'authorization_code_refused',
    });
  });

  it('that is not known yet can be asked for until it is', async () => {
    const { account, code } = await consent();
    breakPath(test, QUERY_AUTH, { kind: 'errcode', errcode: -1 });
    const id = idOf(await comeBack(await begin('s'), code));
    for (const hub of [test.hub, other.hub]) {
      expect(await redeem(id, hub)).toMatchObject({
        status: 202,
        json: { outcome: 'pending', authorizerAppId: null, state: null },
      });
    }
    repair(test);
    test.clock.advance(2 * MINUTE);
    await authorizerTick(test);
    expect(await redeem(id)).toMatchObject({
      status: 200,
      json: { outcome: 'authorized', authorizerAppId: account, state: 's' },
    });
    expect((await redeem(id)).status).toBe(410);
  });

  it('of somebody who gave up says so once, and does not stand in the way of a second try', async () => {
    const way = await begin('s');
    const id = idOf(await comeBack(way));
    expect(await redeem(id)).toMatchObject({
      status: 200,
      json: { outcome: 'cancelled', authorizerAppId: null, state: 's', error: null },
    });
    expect((await redeem(id)).status).toBe(410);
    const { account, code } = await consent();
    const { json } = await redeem(idOf(await comeBack(way, code)));
    expect(json).toMatchObject({ outcome: 'authorized', authorizerAppId: account, state: 's' });
    const after = await comeBack(way);
    expect([after.status, location(after)]).toEqual([200, null]);
  });

  it('of another platform is not that of this one', async () => {
    const { appid } = await addPlatform(test);
    await prime(test, appid);
    const way = await begin('s', appid);
    const { code } = await consent();
    const crossed = way.replace(appid, PLATFORM);
    // A request of another platform is none here.
    expect((await comeBack(crossed, code)).headers.get('location')).toBeNull();
    const own = await consent(newAccount(test), appid);
    const { json } = await redeem(idOf(await comeBack(way, own.code)));
    expect(json).toMatchObject({ componentAppId: appid, authorizerAppId: own.account });
  });
});
