import { writeFileSync } from 'node:fs';
import { REFRESH_SPREAD } from '../../dist/authorizer/authorizer-token.service.js';
import { nextAttemptAt } from '../../dist/token-engine/failure-policy.js';
import { refreshTime } from '../../dist/token-engine/refresh-decision.js';
import { lineCharts } from '../lib/chart.mjs';
import { most, number, table, whole } from '../lib/results.mjs';
import { projectFile } from '../lib/settings.mjs';

const LIFE_SECONDS = 7200;
const DAY_SECONDS = 86_400;
/** Refreshes a second of one hub, by the part `refreshes`. */
const HUB_RATE = 300;
/** While WeChat is silent: 100 calls under way, each given up after 5 s. */
const SILENT_RATE = 20;
const OUTAGE = { from: 12 * 3600, to: 13 * 3600 };
const HUBS = [1, 2, 4];
const SECONDS = 2 * DAY_SECONDS;
const PICTURE = 'docs/images/refresh-schedule.svg';

/**
 * The refreshes of many accounts over days in virtual time: the hub's own rules decide when a token
 * is due and when a failed refresh is tried again; a host works off what is due, oldest first, at
 * the rate that was measured.
 */
export async function measureSchedule({ quick }) {
  const count = quick ? 50_000 : 1_000_000;
  const scale = count / 1_000_000;
  const together = simulate({ count, rate: 2 * HUB_RATE * scale, outage: undefined });
  const outages = HUBS.map((hubs) => ({
    hubs,
    ...simulate({
      count,
      rate: hubs * HUB_RATE * scale,
      silentRate: hubs * SILENT_RATE * scale,
      // A day later, when the accounts have long been spread.
      outage: { from: OUTAGE.from + DAY_SECONDS, to: OUTAGE.to + DAY_SECONDS },
    }),
  }));
  if (!quick) writeFileSync(projectFile(PICTURE), picture(together, outages));
  return {
    title: 'Refreshes of a million accounts over a day, in virtual time',
    text: textOf(count, together, outages),
  };
}

/** Accounts by the second in which they are due, as lists through `after`. */
class Calendar {
  #first = new Int32Array(SECONDS).fill(-1);
  #after;

  constructor(count) {
    this.#after = new Int32Array(count);
  }

  add(account, second) {
    if (second >= SECONDS) return;
    this.#after[account] = this.#first[second];
    this.#first[second] = account;
  }

  *at(second) {
    for (let one = this.#first[second]; one >= 0; one = this.#after[one]) yield one;
  }
}

/** The tokens of all accounts, which were got in the first second. */
class Tokens {
  calendar;
  #expiry;
  #attempts;
  /** By how much the number of accounts without a token changes in each second. */
  #change = new Float64Array(SECONDS + 1);

  constructor(count) {
    this.calendar = new Calendar(count);
    this.#expiry = new Float64Array(count).fill(LIFE_SECONDS);
    this.#attempts = new Uint16Array(count);
    for (let account = 0; account < count; account += 1) this.#putOff(account, 0);
  }

  fail(account, now) {
    this.#attempts[account] += 1;
    const next = nextAttemptAt('network', this.#attempts[account], now * 1000, Math.random());
    this.calendar.add(account, Math.max(now + 1, Math.ceil(next / 1000)));
  }

  refresh(account, now) {
    this.#attempts[account] = 0;
    const end = this.#expiry[account];
    if (end < now) {
      this.#change[end] += 1;
      this.#change[now] -= 1;
    }
    this.#expiry[account] = now + LIFE_SECONDS;
    this.#putOff(account, now);
  }

  /** The share of accounts without a token in each second. */
  expired() {
    for (const end of this.#expiry) if (end < SECONDS) this.#change[end] += 1;
    let without = 0;
    return Array.from({ length: SECONDS }, (_, now) => {
      without += this.#change[now];
      return without / this.#expiry.length;
    });
  }

  #putOff(account, now) {
    const at = refreshTime(now * 1000, LIFE_SECONDS, Math.random() * REFRESH_SPREAD);
    this.calendar.add(account, Math.floor(at / 1000));
  }
}

/** @returns calls and the share of accounts without a token in each second. */
function simulate({ count, rate, silentRate = rate, outage }) {
  const tokens = new Tokens(count);
  const calls = new Float64Array(SECONDS);
  let waiting = [];
  let head = 0;
  let workedOff = -1;
  let free = 0;
  for (let now = 0; now < SECONDS; now += 1) {
    waiting.push(...tokens.calendar.at(now));
    const isOut = outage && now >= outage.from && now < outage.to;
    free += isOut ? silentRate : rate;
    const made = Math.min(Math.floor(free), waiting.length - head);
    calls[now] = made;
    for (const last = head + made; head < last; head += 1) {
      if (isOut) tokens.fail(waiting[head], now);
      else tokens.refresh(waiting[head], now);
    }
    if (head >= count) {
      waiting = waiting.slice(head);
      head = 0;
    }
    // What is not used in a second is lost, but for the fraction of a call.
    free = Math.min(free - made, 1);
    if (workedOff < 0 && outage && now >= outage.to && waiting.length === head) workedOff = now;
  }
  return { calls, expired: tokens.expired(), workedOff };
}

function textOf(count, { calls }, outages) {
  const day = [...calls.subarray(DAY_SECONDS)];
  const first = most(calls.subarray(0, DAY_SECONDS));
  const rows = outages.map(({ hubs, expired, calls: made, workedOff }) => {
    const end = OUTAGE.to + DAY_SECONDS;
    const after = expired.slice(end);
    const well = after.findIndex((share) => share === 0);
    const during = made.subarray(OUTAGE.from + DAY_SECONDS, end);
    return [
      String(hubs),
      `${Math.round(most(expired) * 100)} %`,
      minutes(well),
      minutes(workedOff - end),
      whole(during.reduce((sum, one) => sum + one, 0)),
    ];
  });
  const head = [
    'hubs',
    'accounts without a token, at most',
    'none after',
    'all due worked off after',
  ];
  return [
    `${whole(count)} accounts whose tokens were all got in the same second; ${HUB_RATE} refreshes a ` +
      `second and hub, lives of 2 hours. The rules are the hub's own (\`refreshTime\`, spread over ` +
      `${REFRESH_SPREAD * 100} % of a life, \`nextAttemptAt\`).`,
    `- In the first day at most ${whole(first)} calls a second (two hubs make no more); in the ` +
      `second ${number(mean(day))} on the average, ${whole(most(day))} at most: tokens ` +
      'that were got together spread by themselves.',
    '- WeChat silent for an hour, on the second day:',
    table([[...head, 'calls in that hour'], ...rows]),
    `![calls a second over two days, and after the outage](../${PICTURE})`,
  ].join('\n\n');
}

function picture({ calls }, outages) {
  const perMinute = (values, from, to, of) => {
    const points = [];
    for (let at = from; at < to; at += 60) {
      points.push([(at - from) / 3600, of(mean(values.slice(at, at + 60)))]);
    }
    return points;
  };
  const same = (value) => value;
  const begin = DAY_SECONDS + OUTAGE.from - 3600;
  const end = begin + 6 * 3600;
  return lineCharts([
    {
      title: 'A million tokens that were got in one second, two hubs',
      x: 'hours',
      y: 'calls a second',
      series: [{ name: 'refreshes', points: perMinute(calls, 0, SECONDS, same) }],
    },
    {
      title: 'WeChat silent from the first to the second hour',
      x: 'hours',
      y: 'calls a second',
      series: outages.map(({ hubs, calls: made }) => ({
        name: `${hubs} hub${hubs > 1 ? 's' : ''}`,
        points: perMinute(made, begin, end, same),
      })),
    },
    {
      title: 'The same',
      x: 'hours',
      y: '% of accounts without a token',
      series: outages.map(({ hubs, expired }) => ({
        name: `${hubs} hub${hubs > 1 ? 's' : ''}`,
        points: perMinute(expired, begin, end, (share) => share * 100),
      })),
    },
  ]);
}

function mean(values) {
  return values.reduce((sum, one) => sum + one, 0) / values.length;
}

function minutes(seconds) {
  return seconds < 0 ? 'not within 11 hours' : `${number(seconds / 60)} min`;
}
