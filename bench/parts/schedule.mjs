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

/** @returns what there was in each second: calls, and accounts without a token that is good. */
function simulate({ count, rate, silentRate = rate, outage }) {
  const calls = new Float64Array(SECONDS);
  const expiry = new Float64Array(count).fill(LIFE_SECONDS);
  const attempts = new Uint16Array(count);
  /** By how much the number of expired tokens changes in each second. */
  const change = new Float64Array(SECONDS + 1);
  /** Accounts by the second in which they are due: lists through `after`. */
  const first = new Int32Array(SECONDS).fill(-1);
  const after = new Int32Array(count);
  const dueAt = (account, seconds) => {
    if (seconds >= SECONDS) return;
    after[account] = first[seconds];
    first[seconds] = account;
  };
  const nextDue = (now) =>
    Math.floor(refreshTime(now * 1000, LIFE_SECONDS, Math.random() * REFRESH_SPREAD) / 1000);
  for (let account = 0; account < count; account += 1) dueAt(account, nextDue(0));

  const waiting = [];
  let head = 0;
  let workedOff = -1;
  let free = 0;
  for (let now = 0; now < SECONDS; now += 1) {
    for (let one = first[now]; one >= 0; one = after[one]) waiting.push(one);
    const isOut = outage && now >= outage.from && now < outage.to;
    free += isOut ? silentRate : rate;
    for (; free >= 1 && head < waiting.length; free -= 1, head += 1) {
      const account = waiting[head];
      calls[now] += 1;
      if (isOut) {
        attempts[account] += 1;
        const next = nextAttemptAt('network', attempts[account], now * 1000, Math.random());
        dueAt(account, Math.max(now + 1, Math.ceil(next / 1000)));
        continue;
      }
      attempts[account] = 0;
      if (expiry[account] < now) {
        change[expiry[account]] += 1;
        change[now] -= 1;
      }
      expiry[account] = now + LIFE_SECONDS;
      dueAt(account, nextDue(now));
    }
    free = Math.min(free, 1);
    if (workedOff < 0 && outage && now >= outage.to && waiting.length === head) workedOff = now;
    if (head > count) {
      waiting.splice(0, head);
      head = 0;
    }
  }
  for (const at of expiry) if (at < SECONDS) change[at] += 1;
  let without = 0;
  const expired = Array.from({ length: SECONDS }, (_, now) => (without += change[now]) / count);
  return { calls, expired, workedOff };
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
      points.push([(at - from) / 3600, of(mean([...values.slice(at, at + 60)]))]);
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
