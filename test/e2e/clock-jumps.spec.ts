import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { COMPONENT, hubEnvironment } from '../support/fake-settings.js';
import { MistimedHub, withFaketime } from '../support/faketime.js';
import { HubProcess } from '../support/hub-process.js';
import { pushMessage, textFields } from '../support/message-pushes.js';
import { logLine } from '../support/process-fleet.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

const { appid } = COMPONENT;
const DAY = 24 * 3_600_000;
/** Messages that wait for a service which fails, and such as no service gets. */
const WAITING = 20;
const READ = 5;
/** Longest that the work of a full hour takes to be seen. */
const HOURLY_LIMIT_MS = 8000;

/** What the clock of a hub does, in days that it is off. */
interface Scenario {
  name: string;
  boots: number;
  jumps?: number;
  /** Days that WeChat's clock is off: it is right, unless time has truly passed. */
  wechat?: number;
}

const WRONG: Scenario[] = [
  { name: 'boots 8 days ahead', boots: 8 },
  { name: 'boots 40 days ahead', boots: 40 },
  { name: 'boots 40 days behind', boots: -40 },
  { name: 'jumps 40 days ahead while it runs', boots: 0, jumps: 40 },
  { name: 'jumps 40 days back while it runs', boots: 0, jumps: -40 },
];
const RIGHT: Scenario = { name: 'was off for 40 days', boots: 40, wechat: 40 };

/** What a database has. */
interface Contents {
  events: string[];
  requests: number;
  deliveries: { status: string; attempts: number }[];
  enabled: number;
}

describe.each(withFaketime(['sqlite']))('a hub with a wrong clock, on %s', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hub-clock-'));
  const outcomes = new Map<string, Contents>();
  let before: Contents;
  let receiver: WebhookReceiver;
  let wechat: WechatSimulator;
  /** Milliseconds in which hubs that start at once listen. */
  let lead = 0;

  beforeAll(async () => {
    receiver = await WebhookReceiver.start({ status: 500 });
    wechat = await WechatSimulator.start({ components: [COMPONENT] });
    await prepare();
    before = contents(fileOf('first'));
    // All at once: each waits for its full hour.
    await Promise.all([...WRONG, RIGHT].map(live));
  }, 300_000);
  afterAll(async () => {
    await receiver.close();
    await wechat.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const fileOf = (name: string): string => join(folder, `${name.replaceAll(' ', '-')}.sqlite`);

  function environment(name: string, { url }: WechatSimulator): Record<string, string> {
    return hubEnvironment({
      DATABASE_URL: `sqlite:${fileOf(name)}`,
      WECHAT_API_BASE_URL: url,
      DELIVERY_ALLOWED_TARGETS: '127.0.0.1',
    });
  }

  async function pushTicket({ hub }: HubProcess, simulator: WechatSimulator): Promise<void> {
    const { status, text } = await hub.push(simulator.buildTicketPush(appid));
    if (status !== 200) throw new Error(`The ticket was answered ${text}`);
  }

  /** A hub answers messages, a service of which fails, and is stopped. */
  async function prepare(): Promise<void> {
    const began = performance.now();
    const first = await HubProcess.start(environment('first', wechat));
    lead = 4000 + 3 * (performance.now() - began);
    const { hub } = first;
    await pushTicket(first, wechat);
    const subscription = { name: 'A service', url: receiver.url, types: ['text'] };
    expect((await hub.post('/admin/subscriptions', subscription)).status).toBe(201);
    const links = await hub.post('/admin/authorizations/links', { componentAppId: appid });
    expect(links.status).toBe(200);
    const test = { hub, simulator: wechat, clock: { now: () => Date.now() } } as never;
    for (let count = 0; count < WAITING + READ; count += 1) {
      const MsgType = count < WAITING ? 'text' : 'image';
      expect((await pushMessage(test, textFields(test, { MsgType }))).text).toBe('success');
    }
    await receiver.arrived(WAITING);
    await first.stop();
  }

  /** Runs a hub on a copy of the database over one full hour of its clock. */
  async function live(scenario: Scenario): Promise<void> {
    const { name, boots, jumps, wechat: days } = scenario;
    sql(fileOf('first'), `VACUUM INTO '${fileOf(name)}'`);
    const path = name.replaceAll(' ', '-');
    sql(fileOf(name), `UPDATE subscription SET url = '${receiver.url}${path}'`);
    let moved = 0;
    const now = (): number => Date.now() + moved;
    const own = { components: [COMPONENT], now };
    const simulator = days === undefined ? wechat : await WechatSimulator.start(own);
    const mistimed = await MistimedHub.start(environment(name, simulator), boots * DAY, lead);
    moved = (days ?? 0) * DAY + mistimed.alignment;
    const worked = Promise.race([
      logLine(mistimed.process, 'clock is not confirmed'),
      logLine(mistimed.process, 'Removed old pushes'),
      delay(mistimed.untilHour + HOURLY_LIMIT_MS),
    ]);
    if (days !== undefined) await pushTicket(mistimed.process, simulator);
    if (jumps !== undefined) mistimed.jump(jumps * DAY);
    await worked;
    if ((jumps ?? boots) > 0 && days === undefined) {
      const tried = (): boolean =>
        receiver.received.filter((call) => call.path.endsWith(path)).length >= WAITING;
      await receiver.until('second attempts', tried);
    }
    if (days !== undefined) {
      const swept = (): boolean => contents(fileOf(name)).requests === 0;
      await eventually('the removal of links', async () => (swept() ? true : undefined));
    }
    await mistimed.stop();
    if (simulator !== wechat) await simulator.stop();
    outcomes.set(name, contents(fileOf(name)));
  }

  it('has answered what is at stake', () => {
    expect(before.deliveries).toEqual(pending(1));
    expect(before.events).toHaveLength(1 + WAITING + READ);
    // A link for computers and one for phones.
    expect([before.requests, before.enabled]).toEqual([2, 1]);
  });

  it.each(WRONG)('removes, gives up and disables nothing: $name', ({ name, boots, jumps }) => {
    const after = outcomes.get(name);
    expect(after).toMatchObject({ requests: 2, enabled: 1 });
    expect(after?.events).toEqual(expect.arrayContaining(before.events));
    const attempts = (jumps ?? boots) > 0 ? 2 : 1;
    expect(after?.deliveries).toEqual(pending(attempts));
  });

  it('removes what is old when WeChat has shown that the time has passed', () => {
    const after = outcomes.get(RIGHT.name);
    expect(after?.events.filter((id) => before.events.includes(id))).toEqual([]);
    expect(after?.events).toHaveLength(1);
    expect(after?.requests).toBe(0);
  });
});

/** The deliveries of all that wait, after so many attempts. */
function pending(attempts: number): Contents['deliveries'] {
  return Array.from({ length: WAITING }, () => ({ status: 'pending', attempts }));
}

function sql(file: string, statement: string): unknown[] {
  const database = new Database(file);
  try {
    const prepared = database.prepare(statement);
    return prepared.reader ? prepared.all() : [prepared.run()];
  } finally {
    database.close();
  }
}

function contents(file: string): Contents {
  const events = sql(file, 'SELECT id FROM callback_event') as { id: string }[];
  const [requests] = sql(file, 'SELECT COUNT(*) AS n FROM authorization_request') as [
    { n: number },
  ];
  const [subscription] = sql(file, 'SELECT enabled FROM subscription') as [{ enabled: number }];
  return {
    events: events.map(({ id }) => id),
    requests: requests.n,
    deliveries: sql(file, 'SELECT status, attempts FROM delivery') as Contents['deliveries'],
    enabled: subscription.enabled,
  };
}
