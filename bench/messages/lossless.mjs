import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { newDatabase } from '../authorizers/mysql-world.mjs';
import { kill } from '../lib/processes.mjs';
import { Worker } from './worker.mjs';
import { settle, startHub, subscribe, tally, troubles } from './world.mjs';

const ACCOUNTS = 100;
/** Connections of WeChat to the load balancer. */
const CONNECTIONS = 256;
/** Shares of the messages after which the target ends, and one of the hubs. */
const DOWN_AFTER = 0.25;
const KILL_AFTER = 0.5;
/** Shorter than the first retry, which comes after 4 to 6 s: it is the last one. */
const OUTAGE_MS = 3000;
/** The target's answer takes so long, so that something is under way at every moment. */
const ANSWER_MS = 5;
/** A lease of the killed hub ends after 30 s; the rest is patience. */
const DRAIN_LIMIT_MS = 120_000;

/**
 * Messages through two hubs on one MySQL behind a load balancer; the target is down for a while,
 * and one of the hubs is killed in the middle and does not come back.
 */
export async function measureLossless({ mysql, settings }) {
  const database = await newDatabase(mysql, 'bench_lossless');
  const wechat = new Worker('wechat.mjs');
  const target = new Worker('target.mjs');
  try {
    await wechat.order('addAccounts', { count: ACCOUNTS });
    const wechatUrl = await wechat.order('url');
    const victim = await startHub('hub-victim', database.url, wechatUrl);
    const survivor = await startHub('hub-survivor', database.url, wechatUrl);
    await settle(survivor, wechat, ACCOUNTS);
    const { secret } = await subscribe(victim, await target.order('url'));
    await target.order('verify', { secret });
    await target.order('behave', { delayMs: ANSWER_MS });
    // Every process knows of the subscription.
    await delay(settings.noticeMs);
    const run = new Run({ database, wechat, target, victim, survivor, settings });
    const result = await run.run();
    const hubTroubles = [victim, survivor].flatMap(troubles);
    await kill(survivor.server);
    return { ...result, troubles: tally(hubTroubles) };
  } finally {
    wechat.stop();
    target.stop();
    await database.drop();
  }
}

class Run {
  #loads = [];

  constructor(world) {
    Object.assign(this, world);
  }

  async run() {
    const { wechat, victim, survivor, settings } = this;
    const port = await wechat.order('balance', { ports: [victim.port, survivor.port] });
    const count = settings.messages;
    const { perSecond } = settings;
    const load = { port, count, perSecond, connections: CONNECTIONS, tries: 3 };
    await wechat.order('load', load);
    const outage = await this.#outage(count * DOWN_AFTER);
    const crash = await this.#crash(count * KILL_AFTER);
    const report = await wechat.order('end');
    const sentAt = Date.now();
    await this.#untilDelivered();
    const drainedMs = Date.now() - sentAt;
    const hands = crash.inHand.length;
    const loads = { mean: mean(this.#loads), most: Math.max(...this.#loads) };
    return { report, hands, drainedMs, loads, ...(await this.#judge(crash, outage)) };
  }

  async #untilSent(count) {
    for (;;) {
      const { sent } = await this.wechat.order('progress');
      this.#loads.push(loadavg()[0]);
      if (sent >= count) return sent;
      await delay(100);
    }
  }

  async #outage(after) {
    await this.#untilSent(after);
    const from = await this.target.order('down');
    await delay(OUTAGE_MS);
    return { from, to: await this.target.order('up') };
  }

  /** @returns what the killed hub had in hand, by the database's account. */
  async #crash(after) {
    const sent = await this.#untilSent(after);
    await kill(this.victim.server);
    const at = Date.now();
    const survivor = await this.#ownerOfNewer(at + 200);
    const rows = await this.database.query(
      `SELECT id, attempts FROM delivery
       WHERE status = 'pending' AND lease_owner IS NOT NULL AND lease_owner <> ?`,
      [survivor],
    );
    return { at, sent, inHand: rows.map(({ id }) => id) };
  }

  /** The one who lives is the one who goes on taking leases. */
  async #ownerOfNewer(time) {
    for (;;) {
      const [row] = await this.database.query(
        `SELECT lease_owner AS owner FROM delivery WHERE created_at > ? AND status = 'pending'
         AND lease_owner IS NOT NULL LIMIT 1`,
        [time],
      );
      if (row) return row.owner;
      await delay(5);
    }
  }

  async #untilDelivered() {
    const until = Date.now() + DRAIN_LIMIT_MS;
    for (;;) {
      const [{ pending }] = await this.database.query(
        `SELECT COUNT(*) AS pending FROM delivery WHERE status = 'pending'`,
      );
      if (Number(pending) === 0) return;
      if (Date.now() > until) return;
      await delay(250);
    }
  }

  async #judge(crash, outage) {
    const answered = new Set(await this.wechat.order('answered'));
    const taken = await this.target.order('taken');
    const { unsigned } = await this.target.order('counts');
    const delivered = new Set(taken.map(({ all }) => all[0].msgId));
    const repeated = taken.filter(({ all }) => all.length > 1);
    const inHand = new Set(crash.inHand);
    const inHandTaken = taken.filter(({ id }) => inHand.has(id));
    const atCrash = repeated.filter(({ id }) => inHand.has(id));
    const others = repeated.filter(({ id }) => !inHand.has(id));
    const atOutage = others.filter(({ all }) => Math.abs(all[0].at - outage.from) < 100);
    const [rows] = await this.database.query(
      `SELECT COUNT(*) AS pushes, COUNT(DISTINCT dedup_key) AS messages FROM callback_event
       WHERE kind = 'message'`,
    );
    const statuses = await this.database.query(
      'SELECT status, COUNT(*) AS count FROM delivery GROUP BY status',
    );
    return {
      answered: answered.size,
      delivered: delivered.size,
      lost: [...answered].filter((msgId) => !delivered.has(msgId)).length,
      unanswered: this.settings.messages - answered.size,
      unsigned,
      deliveries: taken.length,
      // One message must not become two deliveries.
      twoIds: taken.length - delivered.size,
      repeated: repeated.length,
      repeatedAtCrash: atCrash.length,
      // How long before the crash the target had answered them at most.
      oldestAtCrashMs: Math.max(0, ...atCrash.map(({ all }) => crash.at - all[0].at)),
      repeatedAtOutage: atOutage.length,
      unexplained: others.length - atOutage.length,
      arrivedAtCrash: inHandTaken.filter(({ arrivals }) => arrivals[0] <= crash.at).length,
      stored: Number(rows.pushes),
      storedMessages: Number(rows.messages),
      statuses: Object.fromEntries(statuses.map(({ status, count }) => [status, Number(count)])),
      // Deliveries that the crash has delayed, and by how much.
      takeoverMs: Math.max(0, ...inHandTaken.map(({ all }) => all.at(-1).at - crash.at)),
    };
  }
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
