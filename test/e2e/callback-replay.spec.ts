import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryOf } from '../support/callback-pushes.js';
import {
  expectRefusal,
  expectSuccess,
  storedState,
  withTicketAndToken,
} from '../support/callback-state.js';
import { createTestDatabase, mysqlOnly, type TestDatabase } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { FakeClock } from '../support/fake-clock.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const { appid } = COMPONENT;

describe.each(mysqlOnly())('two hubs on one %s database', (kind) => {
  let database: TestDatabase;
  let one: TestApp;
  let other: TestApp;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    const clock = new FakeClock();
    one = await createTestApp({ database, clock });
    other = await createTestApp({ database, clock });
    await withTicketAndToken(one, appid);
  });
  afterAll(async () => {
    await Promise.all([one.close(), other.close()]);
    await database.drop();
  });

  it('apply a push once that is sent to both, one after the other', async () => {
    one.clock.advance(1000);
    const built = one.simulator.buildTicketPush(appid);
    expectSuccess(await one.hub.push(built));
    const once = await storedState(one);
    expectSuccess(await other.hub.push(built));
    expect(await storedState(one)).toEqual(once);
  });

  it('apply pushes once that come to both at the same moment', async () => {
    one.clock.advance(1000);
    const before = await storedState(one);
    const pushes = Array.from({ length: 30 }, () => one.simulator.buildTicketPush(appid));
    const answers = await Promise.all(
      pushes.flatMap((built) => [one.hub.push(built), other.hub.push(built), one.hub.push(built)]),
    );
    for (const answer of answers) expectSuccess(answer);
    expect((await storedState(one)).events).toHaveLength(before.events.length + pushes.length);
  });

  it('do not take an old push again under a new time', async () => {
    const built = one.simulator.buildTicketPush(appid);
    expectSuccess(await one.hub.push(built));
    const before = await storedState(one);
    one.clock.advance(601_000);
    const outOfWindow = { status: 403, code: 'timestamp_out_of_window' };
    expectRefusal(await other.hub.push(built), outOfWindow);
    const timestamp = String(Math.floor(one.clock.now() / 1000));
    const forged = await other.hub.push(built, { query: queryOf(built, { timestamp }) });
    expectRefusal(forged, { status: 403, code: 'signature_invalid', errcode: -40001 });
    expect(await storedState(one)).toEqual(before);
  });

  it('see each other’s tickets', async () => {
    one.clock.advance(1000);
    const built = one.simulator.buildTicketPush(appid);
    expectSuccess(await one.hub.push(built));
    expect((await other.hub.ticket()).json.componentVerifyTicket).toBe(built.ticket);
  });
});
