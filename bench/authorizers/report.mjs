import { plot } from '../lib/plot.mjs';
import { DUE } from './ticks.mjs';

const RATE_GOAL = 300;
const MEMORY_GOAL_MIB = 300;
/** Refreshes that a hub has under way at once: what its crash can cost in calls. */
const UNDER_WAY = 100;
/** Rows grow a thousandfold; a turn's time may grow by so much and be called level. */
const LEVEL = 2;

/** The results as Markdown, and whether all that must hold does; figures that are goals aside. */
export function report(results) {
  const { life, seconds, settings } = results;
  const lifeLines = lifeOf(life, settings);
  const parts = [
    '# Benchmark of the authorizers',
    `Written by \`npm run bench -- authorizers\`; do not edit. One run of ${Math.round(seconds)} s ` +
      'on loopback. The hubs are processes as in production (`node dist/main.js`) on one MySQL with ' +
      'its default durability; the fake WeChat is a process of its own and answers ' +
      `api_authorizer_token after ${settings.answerMs} ms.`,
    machine(results),
    `## (a) ${whole(settings.accounts)} accounts, each due once over one life of their tokens`,
    lifeLines.map(({ text }) => text).join('\n'),
    '## (b) Refreshes per second of one hub',
    rateOf(results.rate),
    '## (c) One turn of the timers, by number of accounts that are not due',
    ticksOf(results.ticks),
    '![Time of a turn by number of accounts](results-authorizers.svg)',
    `"Reads" are those of the database server (its \`Handler_read\` counters) for one turn: unlike ` +
      'times they do not depend on what else the machine does. Counting them takes a few itself.',
  ];
  return { text: `${parts.join('\n\n')}\n`, sound: lifeLines.every(({ holds }) => holds) };
}

/** The picture of (c). */
export function picture(ticks) {
  const first = ticks[0];
  const points = (series) => ticks.map((row) => [row.size, row[series].ms]);
  const grown = ticks.map(({ size }) => [size, (first.refresh.ms * size) / first.size]);
  return plot({
    title: 'Time of one turn of the refresher',
    xTitle: 'accounts',
    yTitle: 'ms (median)',
    lines: [
      { name: 'nothing is due', points: points('refresh') },
      { name: `${DUE} are due`, points: points('due') },
      { name: 'if it grew with them', dashed: true, points: grown },
    ],
  });
}

function machine({ machine: facts, durability }) {
  return [
    `- ${facts.date} UTC, Node ${facts.node}, ${facts.system}`,
    `- ${facts.cores} cores (${facts.processor}), ${facts.memoryGiB} GiB, ` +
      `load average ${number(facts.loadBefore)} before the start`,
    `- disk: 4 KiB written and synced in ${number(facts.fsyncMs)} ms (median)`,
    `- ${durability.version}: \`innodb_flush_log_at_trx_commit = ${durability.flushAtCommit}\``,
  ].join('\n');
}

/** What must hold, with the figures that show it. */
function lifeOf(life, settings) {
  return [conditions(life, settings), ...tokensOf(life, settings), ...costsOf(life, settings)];
}

function conditions(life, { accounts, lifeMs }) {
  const loads = `${number(Math.min(...life.loads))} to ${number(Math.max(...life.loads))}`;
  return fact(
    true,
    `three hubs; two hours of life shortened to ${whole(lifeMs / 1000)} s, so that some ` +
      `${whole((accounts / lifeMs) * 1000)} accounts are due per second of it; one hub ended with ` +
      `kill -9 after ${whole(life.killedAt)} calls; done in ${whole(life.seconds)} s; ` +
      `load average ${loads}; ${whole(life.hubCpuMicros)} µs of the hubs' CPU per refresh`,
  );
}

function tokensOf(life, { accounts }) {
  return [
    fact(
      life.tooLate === 0 && life.withoutToken === 0 && life.withoutTokenAtWechat === 0,
      'no account was ever without a token that works: ' +
        `${life.tooLate} exchanges began after the end of the token before, the closest ` +
        `${number(life.leastSpare / 1000)} s before it (every account counted); in ` +
        `${whole(life.looks)} looks at all rows ${life.withoutToken} were expired, in as many at ` +
        `WeChat's side ${life.withoutTokenAtWechat} had no working token`,
    ),
    fact(
      life.failedReads.length === 0,
      `${whole(life.reads)} reads by services, of any account at any hub: ` +
        `${life.failedReads.length} without a token that WeChat takes`,
    ),
    fact(
      life.once === accounts && life.unsettled === 0,
      `${whole(life.once)} of ${whole(accounts)} have exactly one new token, ` +
        `${life.unsettled} rows have a lease or a failure left over`,
    ),
  ];
}

function costsOf(life, { accounts }) {
  const extra = life.calls.arrived - accounts;
  const peaks = life.peaks.map((peak) => `${whole(peak)} MiB`).join(', ');
  return [
    fact(
      extra >= 0 && extra <= UNDER_WAY,
      `${whole(life.calls.arrived)} calls: one for each account and ${extra} again that the killed ` +
        'hub had under way',
    ),
    fact(
      life.peaks.every((peak) => peak < MEMORY_GOAL_MIB),
      `peak memory (VmHWM) ${peaks}; goal: under ${MEMORY_GOAL_MIB} MiB each`,
    ),
    fact(
      true,
      `refreshed ${number(life.meanLate / 1000)} s after it was due on average, ` +
        `${number(life.mostLate / 1000)} s at most (the timer turns every 5 s; what the killed hub ` +
        'had claimed waited for the end of its lease)',
    ),
  ];
}

function fact(holds, text) {
  return { holds, text: `- ${holds ? '' : '**NOT SO:** '}${text}` };
}

function rateOf({ perSecond, cpuMicros, count, calls, peak, load, bare }) {
  const { hub, mysql, wechat } = cpuMicros;
  const reached = perSecond >= RATE_GOAL ? 'reached' : '**missed**';
  const head = ['', 'refreshes/s', 'CPU µs/refresh', 'to the bare loop'];
  const rows = [
    ['one hub', whole(perSecond), whole(hub), `${(perSecond / bare.perSecond).toFixed(2)}×`],
    ['bare loop: the call and one UPDATE', whole(bare.perSecond), whole(bare.cpuMicros), '1.00×'],
  ];
  const busy = (perSecond * hub) / 1e6;
  const lines = [
    `- ${reached}: at least ${RATE_GOAL} per second, at load average ${number(load)}`,
    `- ${whole(count)} accounts due at once, ${whole(calls)} calls; the hub used ` +
      `${Math.round(busy * 100)} % of a core, and at most ${whole(peak)} MiB`,
    `- besides the hub, MySQL used ${whole(mysql)} µs and the fake WeChat ${whole(wechat)} µs per ` +
      'refresh, on the same cores',
  ];
  return `${markdown([head, ...rows])}\n\n${lines.join('\n')}`;
}

function ticksOf(ticks) {
  const head = ['accounts', 'nothing due: ms', 'reads', `${DUE} due: ms`, 'reads'];
  head.push('codes: ms', 'information: ms', 'load');
  const rows = ticks.map(({ size, refresh, due, codes, infos, load }) => [
    whole(size),
    number(refresh.ms),
    whole(refresh.rows),
    number(due.ms),
    whole(due.rows),
    number(codes.ms),
    number(infos.ms),
    number(load),
  ]);
  const growth = ticks.at(-1).refresh.ms / ticks[0].refresh.ms;
  const reads = ticks.every(({ refresh }) => refresh.rows === ticks[0].refresh.rows);
  const level = growth <= LEVEL ? 'level' : '**NOT LEVEL**';
  return [
    markdown([head, ...rows]),
    `From ${whole(ticks[0].size)} to ${whole(ticks.at(-1).size)} accounts the time of a turn ` +
      `changes by ${growth.toFixed(2)}× (${level}); the number of reads ` +
      `${reads ? 'is the same' : '**is not the same**'}.`,
  ].join('\n\n');
}

function markdown([head, ...rows]) {
  const rule = head.map((_, column) => (column === 0 ? '---' : '--:'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function whole(value) {
  return Number.isNaN(value) ? '–' : Math.round(value).toLocaleString('en');
}

function number(value) {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}
