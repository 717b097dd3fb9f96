import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CredentialUses } from '../../src/component/credential-uses.js';
import { SecretBox } from '../../src/secrets/secret-box.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { logLines } from '../support/test-log-lines.js';
import { HOUR, MINUTE, prime, secondHub, SECOND, sql } from '../support/token-world.js';

const { appid } = COMPONENT;
const PATH = `/admin/components/${appid}`;
const KEYS = ['A', 'B', 'C', 'D'].map((letter) => letter.repeat(43));

describe.each(databaseKinds())('credentials on %s that change more than once a day', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind });
  });
  afterEach(() => test.close());

  async function change(body: Record<string, string>): Promise<void> {
    expect((await test.hub.patch(PATH, body)).status).toBe(200);
    test.clock.advance(SECOND);
  }

  /** What becomes of pushes under these Tokens: the generation that took them, or the refusal. */
  async function taken(
    name: 'token' | 'encodingAesKey',
    values: string[],
    hub = test.hub,
  ): Promise<(string | number)[]> {
    const seen: (string | number)[] = [];
    for (const value of values) {
      test.clock.advance(SECOND);
      const built = test.simulator.buildTicketPush(appid, { [name]: value });
      const { status } = await hub.push(built);
      const history = await hub.get(`/admin/tickets/${appid}/history?limit=1`);
      seen.push(status === 200 ? history.json.pushes[0].keyUsed : status);
    }
    return seen;
  }

  it('go on with the Token that WeChat still uses, after a mistake and its correction', async () => {
    await change({ token: 'misspeltToken' });
    await change({ token: 'correctedToken' });
    expect(await taken('token', ['correctedToken', 'misspeltToken', COMPONENT.token])).toEqual([
      'current',
      'previous',
      'previous',
    ]);
    expect((await test.hub.get(PATH)).json.token.previousAccepted).toBe(true);
  });

  it('go on with the EncodingAESKey that WeChat still uses', async () => {
    const [misspelt = '', corrected = ''] = KEYS;
    await change({ encodingAesKey: misspelt });
    await change({ encodingAesKey: corrected });
    const keys = [corrected, COMPONENT.encodingAesKey];
    expect(await taken('encodingAesKey', keys)).toEqual(['current', 'previous']);
  });

  it('go on with the AppSecret that WeChat still takes', async () => {
    await change({ appSecret: 'fake-secret-misspelt' });
    await change({ appSecret: 'fake-secret-corrected' });
    await prime(test);
    expect((await test.hub.post(`/admin/tickets/${appid}/start-push`)).status).toBe(200);
  });

  it('may go back to a value, which then is the current one again', async () => {
    await change({ token: 'secondToken' });
    await change({ token: COMPONENT.token });
    expect(await taken('token', [COMPONENT.token, 'secondToken'])).toEqual(['current', 'previous']);
  });

  it('keep what WeChat uses, however many changes come after it', async () => {
    await taken('token', [COMPONENT.token]);
    await change({ token: 'testedToken' });
    await taken('token', [COMPONENT.token, 'testedToken']);
    const never = ['token1', 'token2', 'token3', 'token4', 'token5'];
    for (const token of [...never, 'lastToken']) await change({ token });
    expect(await taken('token', [COMPONENT.token, 'testedToken', ...never, 'lastToken'])).toEqual([
      'previous',
      'previous',
      403,
      403,
      'previous',
      'previous',
      'previous',
      'current',
    ]);
  });

  it('accept what an earlier version kept as the one value before', async () => {
    await change({ token: 'currentToken' });
    for (const stored of [
      'plainToken',
      test.app.get(SecretBox).seal('sealedToken', `component.previous_token:${appid}`),
    ]) {
      await sql(test).query('UPDATE component SET previous_token = ?', [stored]);
      const token = stored === 'plainToken' ? stored : 'sealedToken';
      const other = await secondHub(test);
      expect(await taken('token', [token, 'currentToken'], other.hub)).toEqual([
        'previous',
        'current',
      ]);
      await other.close();
    }
    await change({ token: 'nextToken' });
    expect(await taken('token', ['sealedToken', 'currentToken'])).toEqual(['previous', 'previous']);
  });
});

/** Hours after which a previous value ends in the tests below; time goes on in steps of a ticket. */
const HOURS = 2;
const TICKET = 10 * MINUTE;

describe.each(databaseKinds())('a previous credential on %s', (kind) => {
  let test: TestApp;
  beforeEach(async () => {
    test = await createTestApp({ database: kind, env: { PREVIOUS_KEY_HOURS: String(HOURS) } });
  });
  afterEach(() => test.close());

  const CHANGED = { token: 'changedToken', encodingAesKey: KEYS[0] };
  const change = (body: object = CHANGED) => test.hub.patch(PATH, body);
  const view = async (): Promise<any> => (await test.hub.get(PATH)).json;
  const iso = (ms: number): string => new Date(ms).toISOString();

  /** WeChat pushes a ticket under the old pair, or the new one. */
  async function push(pair: 'old' | 'new', hub = test): Promise<number> {
    const built = test.simulator.buildTicketPush(appid, pair === 'new' ? CHANGED : {});
    const { status } = await hub.hub.push(built);
    await hub.app.get(CredentialUses).idle();
    return status;
  }

  /** Tickets for so many hours. */
  async function pushes(pair: 'old' | 'new', hours: number): Promise<Set<number>> {
    const seen = new Set<number>();
    for (let passed = 0; passed < hours * HOUR; passed += TICKET) {
      test.clock.advance(TICKET);
      seen.add(await push(pair));
    }
    return seen;
  }

  it('lasts as long as WeChat uses it: until the change is published, whenever that is', async () => {
    await change();
    for (let week = 0; week < 5; week += 1) {
      test.clock.advance(7 * 24 * HOUR - HOUR);
      expect(await pushes('new', 1)).toEqual(new Set([200]));
      expect(await push('old')).toBe(200);
    }
  });

  it('is not ended by silence, nor by a push under the current one after it', async () => {
    await change();
    expect(await push('new')).toBe(200);
    for (let month = 0; month < 3; month += 1) {
      test.clock.advance(30 * 24 * HOUR);
      expect(await push('new')).toBe(200);
    }
    expect(await push('old')).toBe(200);
  });

  it('ends when pushes have come under the current one only, each kind by itself', async () => {
    await change();
    await push('new');
    await pushes('new', HOURS - 1);
    expect(await push('old'), 'it begins again').toBe(200);
    await pushes('new', HOURS - 1);
    const { token } = CHANGED;
    const oldKey = () => test.hub.push(test.simulator.buildTicketPush(appid, { token }));
    expect((await oldKey()).status).toBe(200);
    await test.app.get(CredentialUses).idle();
    await pushes('new', 1);
    const { token: tokens, encodingAesKey: keys } = await view();
    expect([tokens.previous, keys.previous.length]).toEqual([[], 1]);
    expect([await push('old'), (await oldKey()).status]).toEqual([403, 200]);
    expect(logLines('Ended a previous credential').at(-1)).toMatchObject({ credential: 'token' });
  });

  it('is ended by an operator, at once and for good: one kind, or all', async () => {
    const changedAt = test.clock.now();
    await change();
    test.clock.advance(HOUR);
    expect(await push('old')).toBe(200);
    const path = `${PATH}/previous-credentials`;
    expect((await test.hub.request('DELETE', `${path}?fields=token`)).status).toBe(400);
    expect((await test.hub.request('DELETE', `${path}?field=name`)).status).toBe(400);
    const left = await test.hub.request('DELETE', `${path}?field=encodingAesKey`);
    expect(left).toMatchObject({
      status: 200,
      json: {
        token: { previousAccepted: true, previous: [{ replacedAt: iso(changedAt) }] },
        encodingAesKey: { previousAccepted: false, previous: [] },
      },
    });
    expect((await test.hub.request('DELETE', path)).json.token.previous).toEqual([]);
    expect(await push('old')).toBe(403);
    expect(await push('new')).toBe(200);
    const unknown = `/admin/components/wx0000000000000000/previous-credentials`;
    expect((await test.hub.request('DELETE', unknown)).status).toBe(404);
    const actions = await sql(test).query(
      "SELECT target FROM audit_record WHERE action = 'component.end_previous' AND target = ? AND outcome = 'ok'",
      [appid],
    );
    expect(actions).toHaveLength(2);
  });

  it('is shown with its last use, and nothing of its value', async () => {
    const usedAt = test.clock.now();
    await push('old');
    test.clock.advance(MINUTE);
    const changedAt = test.clock.now();
    await change();
    test.clock.advance(TICKET);
    const before = await view();
    expect(before.token).toEqual({
      changedAt: iso(changedAt),
      lastUsedAt: null,
      previousAccepted: true,
      previousAcceptedUntil: iso(changedAt + HOURS * HOUR),
      previous: [
        {
          replacedAt: iso(changedAt),
          lastUsedAt: iso(usedAt),
          endsAt: iso(changedAt + HOURS * HOUR),
        },
      ],
    });
    await push('old');
    const lastOld = test.clock.now();
    test.clock.advance(TICKET);
    await push('new');
    const lastNew = test.clock.now();
    // To the minute: what comes within one is not written.
    test.clock.advance(59 * SECOND);
    await push('new');
    const { text } = await test.hub.get(PATH);
    for (const field of ['token', 'encodingAesKey']) {
      expect(JSON.parse(text)[field]).toMatchObject({
        lastUsedAt: iso(lastNew),
        previous: [{ lastUsedAt: iso(lastOld) }],
      });
    }
    for (const value of [COMPONENT.token, COMPONENT.encodingAesKey, ...Object.values(CHANGED)]) {
      expect(text).not.toContain(value);
    }
  });

  it('is used on two hosts at once, and neither use is lost', async () => {
    const other = await secondHub(test, { PREVIOUS_KEY_HOURS: String(HOURS) });
    await change();
    test.clock.advance(MINUTE);
    for (let passed = 0; passed <= HOURS * HOUR; passed += TICKET) {
      test.clock.advance(TICKET);
      const both = await Promise.all([push('new'), push('old', other)]);
      expect(both).toEqual([200, 200]);
    }
    const now = iso(test.clock.now());
    test.clock.advance(MINUTE);
    const { token } = await view();
    expect([token.lastUsedAt, token.previous[0].lastUsedAt]).toEqual([now, now]);
    await other.close();
  });
});

describe.each(databaseKinds())('a previous credential on %s, where no time ends one', (kind) => {
  it('stays until an operator ends it', async () => {
    const test = await createTestApp({ database: kind, env: { PREVIOUS_KEY_HOURS: '0' } });
    await test.hub.patch(PATH, { token: 'changedToken' });
    for (let hours = 0; hours < 10; hours += 1) {
      test.clock.advance(HOUR);
      await test.hub.push(test.simulator.buildTicketPush(appid, { token: 'changedToken' }));
      await test.app.get(CredentialUses).idle();
    }
    expect((await test.hub.push(test.simulator.buildTicketPush(appid))).status).toBe(200);
    await test.close();
  });
});
