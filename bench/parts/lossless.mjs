import { setTimeout as delay } from 'node:timers/promises';
import { allDelivered, mysqlDatabase } from '../lib/databases.mjs';
import { settle, startHub, subscribe, troubles } from '../lib/hub.mjs';
import { kill } from '../lib/processes.mjs';
import { list, none, number, whole } from '../lib/results.mjs';
import { Worker } from '../lib/worker.mjs';

const ACCOUNTS = 100;
const PER_SECOND = 400;
/** Until every process knows of a new subscription. */
const NOTICE_MS = 11_000;
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
export async function measureLossless({ mysql, quick }) {
  const database = await mysqlDatabase(mysql, 'bench_lossless');
  const wechat = new Worker('wechat.mjs');
  const target = new Worker('target.mjs');
  await wechat.order('addAccounts', { count: ACCOUNTS });
  const wechatUrl = await wechat.order('url');
  const victim = await startHub('hub-victim', database.url, wechatUrl);
  const survivor = await startHub('hub-survivor', database.url, wechatUrl);
  await settle(survivor, wechat, ACCOUNTS);
  const { secret } = await subscribe(victim, await target.order('url'));
  await target.order('verify', { secret });
  await target.order('behave', { delayMs: ANSWER_MS });
  await delay(NOTICE_MS);
  const messages = quick ? 10_000 : 100_000;
  const result = await new Run({ database, wechat, target, victim, survivor, messages }).run();
  await kill(survivor.server);
  wechat.stop();
  target.stop();
  await database.drop();
  return {
    title: 'A hub killed, a target down: nothing is lost',
    text: `A crash and an outage.\n\n${list(linesOf(result, troubles(victim, survivor)))}`,
    sound: isSound(result),
  };
}

class Run {
  constructor(world) {
    Object.assign(this, world);
  }

  async run() {
    const { wechat, victim, survivor, messages } = this;
    const port = await wechat.order('balance', { ports: [victim.port, survivor.port] });
    await wechat.order('load', {
      port,
      count: messages,
      perSecond: PER_SECOND,
      atOnce: 256,
      tries: 3,
    });
    const outage = await this.#outage(messages * DOWN_AFTER);
    const crash = await this.#crash(messages * KILL_AFTER);
    const load = await wechat.order('end');
    const sentAt = Date.now();
    await allDelivered(this.database, DRAIN_LIMIT_MS);
    return { load, drainedMs: Date.now() - sentAt, ...(await this.#judge(crash, outage)) };
  }

  async #untilSent(count) {
    while ((await this.wechat.order('sent')) < count) await delay(100);
  }

  async #outage(after) {
    await this.#untilSent(after);
    const from = await this.target.order('down');
    await delay(OUTAGE_MS);
    return { from, to: await this.target.order('up') };
  }

  /** @returns what the killed hub had leased, by the database's account. */
  async #crash(after) {
    await this.#untilSent(after);
    await kill(this.victim.server);
    const at = Date.now();
    const survivor = await this.#ownerOfNewer(at + 200);
    const rows = await this.database.query(
      `SELECT id FROM delivery
       WHERE status = 'pending' AND lease_owner IS NOT NULL AND lease_owner <> ?`,
      [survivor],
    );
    return { at, leased: rows.map(({ id }) => id) };
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

  async #judge(crash, outage) {
    const answered = new Set(await this.wechat.order('answered'));
    const taken = await this.target.order('taken');
    const { unsigned } = await this.target.order('counts');
    const delivered = new Set(taken.map(({ all }) => all[0].msgId));
    const repeated = taken.filter(({ all }) => all.length > 1);
    const leased = new Set(crash.leased);
    const leasedTaken = taken.filter(({ id }) => leased.has(id));
    const atCrash = repeated.filter(({ id }) => leased.has(id));
    const others = repeated.filter(({ id }) => !leased.has(id));
    const atOutage = others.filter(({ all }) => Math.abs(all[0].at - outage.from) < 100);
    const [rows] = await this.database.query(
      `SELECT COUNT(*) AS pushes, COUNT(DISTINCT dedup_key) AS messages FROM callback_event
       WHERE kind = 'message'`,
    );
    const statuses = await this.database.query(
      'SELECT status, COUNT(*) AS count FROM delivery GROUP BY status',
    );
    return {
      lost: [...answered].filter((msgId) => !delivered.has(msgId)).length,
      unsigned,
      // One message must not become two deliveries.
      twoIds: taken.length - delivered.size,
      repeatedAtCrash: atCrash.length,
      // How long before the crash the target had answered them at most.
      oldestAtCrashMs: Math.max(0, ...atCrash.map(({ all }) => crash.at - all[0].at)),
      repeatedAtOutage: atOutage.length,
      unexplained: others.length - atOutage.length,
      leased: crash.leased.length,
      arrivedAtCrash: leasedTaken.filter(({ arrivals }) => arrivals[0] <= crash.at).length,
      recordedTwice: Number(rows.pushes) - Number(rows.messages),
      statuses: Object.fromEntries(statuses.map(({ status, count }) => [status, Number(count)])),
      // By how much the crash has delayed deliveries.
      takeoverMs: Math.max(0, ...leasedTaken.map(({ all }) => all.at(-1).at - crash.at)),
    };
  }
}

function linesOf(result, troublesText) {
  const { load } = result;
  const outcomes = Object.entries(load.outcomes).map(([name, count]) => `${whole(count)} ${name}`);
  return [
    `${whole(load.sent)} messages at ${whole(load.sentPerSecond)}/s through a load balancer and two ` +
      'hubs on one MySQL to one subscriber that verifies every signature; the subscriber is down ' +
      'for 3 s after a quarter, and one hub killed with `kill -9` after half and not started again',
    `WeChat was answered: ${outcomes.join(', ')}; ${whole(load.retries)} tries were second or ` +
      `third ones; from handing over to answer p50 ${number(load.latency.p50)} ms, ` +
      `p99 ${number(load.latency.p99)} ms`,
    `answered and not delivered: ${none(result.lost)}; recorded twice: ` +
      `${none(result.recordedTwice)}; delivered under two ids: ${none(result.twoIds)}; wrong ` +
      `signatures: ${none(result.unsigned)}`,
    `deliveries by state at the end: ${JSON.stringify(result.statuses)}, ` +
      `${number(result.drainedMs / 1000)} s after the last message`,
    `leased by the hub that was killed: ${result.leased} deliveries, of which the subscriber had got ` +
      `${result.arrivedAtCrash}; delivered twice: ${result.repeatedAtCrash} of these (answered at ` +
      `most ${whole(result.oldestAtCrashMs)} ms before), ${result.repeatedAtOutage} under way when ` +
      `the subscriber went down, ${none(result.unexplained)} others; all taken over by the other ` +
      `hub within ${number(result.takeoverMs / 1000)} s (a lease is 30 s)`,
    `warnings and errors in the logs: ${troublesText}`,
  ];
}

function isSound({ lost, twoIds, unsigned, unexplained, recordedTwice, statuses }) {
  const left = Object.keys(statuses).some((status) => status !== 'delivered');
  return !left && lost + twoIds + unsigned + unexplained + recordedTwice === 0;
}
