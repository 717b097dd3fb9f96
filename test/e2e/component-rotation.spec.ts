import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SecretBox } from '../../src/secrets/secret-box.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
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

  it('accept each value for 24 hours after it was replaced, not after the last change', async () => {
    const tokens = [COMPONENT.token, 'secondToken', 'thirdToken'];
    await change({ token: 'secondToken' });
    test.clock.advance(23 * HOUR);
    await change({ token: 'thirdToken' });
    expect(await taken('token', tokens)).toEqual(['previous', 'previous', 'current']);
    test.clock.advance(HOUR);
    expect(await taken('token', tokens)).toEqual([403, 'previous', 'current']);
    test.clock.advance(23 * HOUR);
    expect(await taken('token', tokens)).toEqual([403, 403, 'current']);
    expect((await test.hub.get(PATH)).json.token.previousAccepted).toBe(false);
  });

  it('accept the last three values before the current one', async () => {
    const tokens = ['token1', 'token2', 'token3', 'token4'];
    for (const token of tokens) await change({ token });
    expect(await taken('token', [COMPONENT.token, ...tokens])).toEqual([
      403,
      'previous',
      'previous',
      'previous',
      'current',
    ]);
  });

  it('may go back to a value, which then is the current one again', async () => {
    await change({ token: 'secondToken' });
    await change({ token: COMPONENT.token });
    expect(await taken('token', [COMPONENT.token, 'secondToken'])).toEqual(['current', 'previous']);
    test.clock.advance(24 * HOUR);
    expect(await taken('token', [COMPONENT.token, 'secondToken'])).toEqual(['current', 403]);
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
    test.clock.advance(MINUTE);
    await change({ token: 'nextToken' });
    expect(await taken('token', ['sealedToken', 'currentToken'])).toEqual(['previous', 'previous']);
    test.clock.advance(24 * HOUR - MINUTE);
    expect(await taken('token', ['sealedToken'])).toEqual([403]);
  });
});
