import { setTimeout as delay } from 'node:timers/promises';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { WechatSimulator } from '../../simulator/wechat-simulator.js';
import { COMPONENT, hubEnvironment } from '../support/fake-settings.js';
import { HubProcess } from '../support/hub-process.js';
import { Burst, burstAgent, tally } from '../support/process-burst.js';
import { allDelivered, eventsUrlOf, EXCHANGE_PATH, since } from '../support/process-fleet.js';
import { WebhookReceiver, type ReceivedWebhook } from '../support/webhook-receiver.js';
import { GaleraCluster } from './galera-cluster.js';
import { TokenReaders } from '../support/token-readers.js';
import { PushStream, type PushOutcome } from '../support/push-stream.js';

const { appid } = COMPONENT;
const DATABASE = 'hub';
/** In which order each hub tries the nodes. */
const ORDERS = [
  [0, 1, 2],
  [1, 2, 0],
  [2, 0, 1],
];
const PER_SECOND = Number(process.env.CLUSTER_PUSHES_PER_SECOND ?? 100);
const REPORTS = 400;
const DUE_ROWS = 400;
const FROZEN_MS = 20_000;
const CALM_MS = 8000;
/** Deliveries of a hub that lost its node wait for the end of their lease. */
const DRAIN_LIMIT_MS = 90_000;

describe.skipIf(inject('clusterLacks') !== '')('hubs on a Galera cluster', () => {
  const agent = burstAgent();
  let cluster: GaleraCluster;
  let simulator: WechatSimulator;
  let receiver: WebhookReceiver;
  let sql: Connection;
  const hubs: HubProcess[] = [];

  beforeAll(async () => {
    cluster = await GaleraCluster.start();
    sql = await cluster.node(2).connect();
    await sql.query(`CREATE DATABASE ${DATABASE} CHARACTER SET utf8mb4`);
    await sql.query("CREATE USER haproxy@'127.0.0.1'");
    await sql.query(`USE ${DATABASE}`);
    await sql.query('SET SESSION wsrep_sync_wait = 1');
    simulator = await WechatSimulator.start({ components: [COMPONENT] });
    receiver = await WebhookReceiver.start();
    const urls = ORDERS.map((order) => cluster.url(DATABASE, order));
    const { proxyPort } = cluster;
    urls.push(
      proxyPort === undefined
        ? cluster.url(DATABASE, [0, 2, 1])
        : `mysql://root@127.0.0.1:${proxyPort}/${DATABASE}`,
    );
    // At once: they migrate an empty database on different nodes.
    hubs.push(...(await Promise.all(urls.map((url) => startHub(url)))));
    simulator.updateComponent(appid, { pushUrl: eventsUrlOf(hub(0), appid) });
    await simulator.pushTicket(appid);
    expect((await hub(0).hub.accessToken()).status).toBe(200);
    const { status, text } = await hub(0).hub.post('/admin/subscriptions', {
      name: 'Receiver',
      url: receiver.url,
      mode: 'subscriber',
      kinds: ['message'],
    });
    expect(status, text).toBe(201);
    // A hub delivers to what it knows: the others read it within 10 s.
    await Promise.all(hubs.map((one) => eventually('the subscription', () => knowsReceiver(one))));
  });
  afterAll(async () => {
    agent.destroy();
    sql?.destroy();
    await Promise.all(hubs.map((one) => one.kill()));
    await receiver?.close();
    await simulator?.stop();
    await cluster?.stop();
  });

  const hub = (index: number): HubProcess => hubs[index] as HubProcess;

  async function knowsReceiver({ hub: client }: HubProcess): Promise<true | undefined> {
    const { text } = await client.get('/admin/subscriptions');
    return text.includes(receiver.url) || undefined;
  }

  function startHub(url: string): Promise<HubProcess> {
    const env = {
      DATABASE_URL: url,
      WECHAT_API_BASE_URL: simulator.url,
      DELIVERY_ALLOWED_TARGETS: '127.0.0.1',
    };
    return HubProcess.start(hubEnvironment(env), 120_000);
  }

  /** All hubs hear at once, from many services, that the token is dead. */
  async function expectOneExchange(title: string): Promise<void> {
    await sql.query('UPDATE component_access_token SET forced_at = forced_at - 30000');
    const dead = simulator.currentToken(appid)?.value;
    simulator.clearCalls();
    simulator.addFault({ path: EXCHANGE_PATH, kind: 'hang', times: 1 });
    simulator.expireTokens(appid, { errcode: 40001 });
    const requests = Array.from({ length: REPORTS }, (_, index) => ({
      url: `${hub(index % hubs.length).hub.url}/api/components/${appid}/access-token/invalidate`,
      body: { token: dead },
    }));
    const began = performance.now();
    const burst = new Burst(requests, agent);
    await Promise.all([burst.sent, simulator.waitForCall(EXCHANGE_PATH)]);
    await delay(500);
    simulator.release(EXCHANGE_PATH);
    const answers = await burst.answers;
    const outcomes = tally(answers);
    const fresh = simulator.currentToken(appid)?.value;
    const exchanges = simulator.callSummary().paths[EXCHANGE_PATH]?.arrived ?? 0;
    console.log(
      `${title}: ${REPORTS} reports of a dead token, ${exchanges} exchange, answers ` +
        `${JSON.stringify(outcomes)}, ${since(began)} ms`,
    );
    expect(exchanges).toBe(1);
    expect(outcomes).toEqual({ 200: REPORTS });
    expect(new Set(answers.map(({ token }) => token))).toEqual(new Set([fresh]));
  }

  it('make one exchange for 400 reports of a dead token', () =>
    expectOneExchange('three nodes well'));

  it('call a target once for each of 400 rows that are due at the same moment', async () => {
    receiver.answer({ status: 500 });
    const stream = new PushStream(
      simulator,
      hubs.map((one) => one.hub),
      PER_SECOND,
    );
    await delay((DUE_ROWS / PER_SECOND) * 1000);
    const outcomes = await stream.end();
    const firstTries = async () => {
      const [rows] = await sql.query<RowDataPacket[]>(
        "SELECT COUNT(*) AS n FROM delivery WHERE status = 'pending' AND attempts > 0",
      );
      return Number(rows[0]?.n) === outcomes.length || undefined;
    };
    await eventually('a first attempt of each', firstTries, 120_000);
    receiver.answer({});
    receiver.clear();
    await sql.query("UPDATE delivery SET next_attempt_at = 1 WHERE status = 'pending'");
    const began = performance.now();
    await allDelivered(sql, DRAIN_LIMIT_MS);
    const calls = tallyOf(receiver.received);
    const twice = [...calls.values()].filter((count) => count > 1).length;
    console.log(
      `claims: ${outcomes.length} rows due at once for 4 hubs, ${calls.size} called, ` +
        `${twice} of them twice, ${since(began)} ms`,
    );
    expect(outcomes.filter(({ answered }) => !answered)).toEqual([]);
    expect([calls.size, twice]).toEqual([outcomes.length, 0]);
  });

  describe('while nodes die', () => {
    let outcomes: PushOutcome[];
    let stream: PushStream;
    let reads: Map<number | string, number>;
    const calls: { call: ReceivedWebhook; at: number }[] = [];
    /** Times at which a delivery that is under way may be cut off. */
    const disturbances: [number, number][] = [];

    beforeAll(async () => {
      receiver.clear();
      receiver.answer((call) => {
        calls.push({ call, at: performance.now() });
        return {};
      });
      stream = new PushStream(
        simulator,
        hubs.map((one) => one.hub),
        PER_SECOND,
      );
      const reading = new TokenReaders(hubs.map((one) => one.hub));
      await delay(CALM_MS);
      report('calm');

      await disturbed(async () => {
        await cluster.node(0).kill();
        await delay(CALM_MS);
      });
      report('a node killed');
      await cluster.node(0).start();
      await delay(CALM_MS);
      report('the node is back');

      await disturbed(async () => {
        cluster.node(1).freeze();
        await delay(FROZEN_MS);
        cluster.node(1).thaw();
        await cluster.node(1).synced();
      });
      report('a node frozen for 20 s, and back');
      await delay(CALM_MS);
      outcomes = await stream.end();
      reads = await reading.end();
      report('the end');
      await allDelivered(sql, DRAIN_LIMIT_MS);
    });

    async function disturbed(work: () => Promise<void>): Promise<void> {
      const began = performance.now();
      await work();
      disturbances.push([began, performance.now()]);
    }

    let reported = { sent: 0, refused: 0, at: 0 };
    function report(title: string): void {
      const { outcomes: sent, refusals, successes } = stream;
      const now = performance.now();
      const begun = Math.max(...successes.filter((at) => at < reported.at), stream.began);
      // A time without a success that still lasts counts, and what it lasted before this part, too.
      const times = [begun, ...successes.filter((at) => at >= reported.at), now];
      times.sort((a, b) => a - b);
      const gap = Math.max(...times.map((at, i) => at - (times[i - 1] ?? at)));
      console.log(
        `${title}: ${sent.length - reported.sent} pushes, ${refusals.length - reported.refused} ` +
          `tries not answered success ${JSON.stringify(countOf(refusals.slice(reported.refused)))}, ` +
          `longest time without a success ${Math.round(gap)} ms`,
      );
      reported = { sent: sent.length, refused: refusals.length, at: now };
    }

    it('lose no push that was answered success', async () => {
      const tries = Math.max(...outcomes.map((one) => one.tries));
      const [rows] = await sql.query<RowDataPacket[]>(
        "SELECT COUNT(*) AS n FROM callback_event WHERE kind = 'message'",
      );
      const delivered = new Set(calls.map(({ call }) => textOf(call)));
      const lost = outcomes.filter(({ answered, text }) => answered && !delivered.has(text));
      console.log(
        `pushes: ${outcomes.length} sent, ${outcomes.filter((one) => one.answered).length} ` +
          `answered, ${lost.length} lost, at most ${tries} tries; longest time without a success ` +
          `${stream.longestGapMs} ms; ${rows[0]?.n} messages in the database`,
      );
      expect(outcomes.filter(({ answered }) => !answered)).toEqual([]);
      expect(lost).toEqual([]);
    });

    it('deliver twice only what was under way when a node failed', () => {
      const times = new Map<string, number[]>();
      for (const { call, at } of calls) times.set(call.id, [...(times.get(call.id) ?? []), at]);
      const twice = [...times.values()].filter((all) => all.length > 1);
      const unexplained = twice.filter(
        ([first = 0]) => !disturbances.some(([from, to]) => first > from - 5000 && first < to),
      );
      console.log(`deliveries: ${times.size}, ${twice.length} more than once`);
      expect(unexplained).toEqual([]);
    });

    it('answer every read of a token', () => {
      console.log(`reads of a token: ${JSON.stringify(Object.fromEntries(reads))}`);
      expect([...reads.keys()]).toEqual([200]);
    });

    it('make one exchange for 400 reports of a dead token with a node missing', async () => {
      await cluster.node(0).kill();
      await expectOneExchange('a node missing');
    });
  });
});

function tallyOf(calls: ReceivedWebhook[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { id } of calls) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

function countOf(refusals: { hub: number; status: number }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { hub, status } of refusals) {
    const key = `hub ${hub}: ${status || 'no answer'}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

function textOf({ body }: ReceivedWebhook): string | undefined {
  return /push \d+/.exec(body)?.[0];
}
