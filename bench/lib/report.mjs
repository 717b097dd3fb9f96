import { CONNECTIONS } from './settings.mjs';
import { median, pairedRatio } from './statistics.mjs';

const P99_GOAL_MS = 25;
const FLOOR_GOAL = 0.5;
const NEST_WECHAT_GOAL = 3;
/** Above this share of a core the load generator may be what is measured. */
const GENERATOR_LIMIT = 0.9;

/** The results as Markdown, and whether all that was answered is stored. */
export function report(results) {
  const sound = results.stored.every(isStored);
  const parts = [
    '# Benchmark',
    introduction(results),
    machine(results),
    '## (a) A ticket push: verified, decrypted, stored',
    table(results.pushes),
    '## (b) A token read with authentication',
    table(results.reads),
    '## Goals',
    goals(results),
    '## Durable',
    durable(results),
  ];
  return { text: `${parts.join('\n\n')}\n`, sound };
}

function introduction({ settings, seconds }) {
  const { rounds, pushMs, readMs, warmUpMs } = settings;
  return (
    `Written by \`npm run bench\`; do not edit. One run of ${seconds} s on loopback: every server ` +
    `is a process of its own, warmed up for ${number(warmUpMs / 1000)} s, then measured in turn, ` +
    `${rounds} rounds of ${number(pushMs / 1000)} s (pushes) or ${number(readMs / 1000)} s (reads), ` +
    `each round beginning with another server. ${CONNECTIONS} connections, one request at a time ` +
    'on each, from a process of its own. No two pushes are alike; every server gets the same ' +
    "ones. Every answer's status and body are checked. Figures are medians of the rounds; " +
    'a ratio is the median of the ratios within each round. CPU is that of the server process ' +
    'alone, without its database server.'
  );
}

function machine({ machine: facts, ceiling }) {
  const share = ({ perSecond, generatorCpu }) =>
    `${whole(perSecond)} requests/s at ${percent(generatorCpu)} of a core`;
  return [
    `- ${facts.date} UTC, Node ${facts.node}, ${facts.system}`,
    `- ${facts.cores} cores (${facts.processor}), ${facts.memoryGiB} GiB, ` +
      `load average ${number(facts.loadBefore)} before the start`,
    `- disk: 4 KiB written and synced in ${number(facts.fsyncMs)} ms (median)`,
    `- load generator against a server that does nothing: pushes ${share(ceiling.push)}, ` +
      `reads ${share(ceiling.read)}`,
  ].join('\n');
}

function table({ rounds, floor, nestWechat }) {
  const peers = nestWechat ? ['to nest-wechat'] : [];
  const head = ['server', 'requests/s', 'lowest–highest', 'p50 ms', 'p99 ms'];
  head.push('CPU µs/request', 'generator busy', 'to floor', ...peers);
  const lines = [...rounds].map(([target, own]) => [
    target.name,
    ...figures(own),
    ratio(own, rounds.get(floor)),
    ...(nestWechat ? [ratio(own, rounds.get(nestWechat))] : []),
  ]);
  return [head, head.map((_, column) => (column === 0 ? '---' : '--:')), ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function figures(rounds) {
  const rates = rounds.map(({ perSecond }) => perSecond);
  return [
    whole(median(rates)),
    `${whole(Math.min(...rates))}–${whole(Math.max(...rates))}`,
    number(medianOf(rounds, 'p50')),
    number(medianOf(rounds, 'p99')),
    whole(medianOf(rounds, 'serverCpuMicros')),
    percent(medianOf(rounds, 'generatorCpu')),
  ];
}

function goals({ pushes, reads }) {
  const lines = [];
  for (const [part, letter] of [
    [pushes, 'a'],
    [reads, 'b'],
  ]) {
    for (const target of part.ours) {
      const own = part.rounds.get(target);
      const name = `(${letter}) ${target.name}`;
      const toFloor = pairedRatio(own, part.rounds.get(part.floor));
      lines.push(goal(`${name}: at least half the floor`, toFloor >= FLOOR_GOAL, times(toFloor)));
      if (part.nestWechat) {
        const toPeer = pairedRatio(own, part.rounds.get(part.nestWechat));
        const wanted = `${name}: at least ${NEST_WECHAT_GOAL} times nest-wechat`;
        lines.push(goal(wanted, toPeer >= NEST_WECHAT_GOAL, times(toPeer)));
      }
      const p99 = medianOf(own, 'p99');
      const wanted = `${name}: p99 under ${P99_GOAL_MS} ms`;
      lines.push(goal(wanted, p99 < P99_GOAL_MS, `${number(p99)} ms`));
    }
  }
  return [...lines, ...generatorDoubts([pushes, reads])].join('\n');
}

function goal(text, reached, figure) {
  return `- ${reached ? 'reached' : '**missed**'}: ${text} (${figure})`;
}

/** Servers that may be faster than could be measured. */
function generatorDoubts(parts) {
  return parts.flatMap(({ rounds }) =>
    [...rounds]
      .filter(([, own]) => medianOf(own, 'generatorCpu') > GENERATOR_LIMIT)
      .map(([{ name }]) => `- doubt: the load generator was busy all the time with ${name}`),
  );
}

function durable({ stored, durability }) {
  const lines = stored.map((entry) => {
    const { name, answered, stored: rows, newest, errors } = entry;
    const verdict = isStored(entry) ? 'all stored' : '**NOT ALL STORED**';
    return (
      `- ${name}: ${answered} pushes answered \`success\`, ${rows} in the database after SIGKILL, ` +
      `the newest ticket ${newest ? 'is' : '**is not**'} the last one pushed: ${verdict}; ` +
      `${errors} warnings or errors in the log`
    );
  });
  const sqlite = '- SQLite: WAL with `synchronous = FULL`, synced at every commit';
  const { version, flushAtCommit } = durability ?? {};
  const mysql = `- ${version}: \`innodb_flush_log_at_trx_commit = ${flushAtCommit}\``;
  const skipped = '- MySQL: skipped, there is no mariadbd or mysqld on this machine';
  return [...lines, sqlite, durability ? mysql : skipped].join('\n');
}

function isStored({ answered, stored, newest }) {
  return answered === stored && newest;
}

function medianOf(rounds, field) {
  return median(rounds.map((round) => round[field]));
}

function ratio(own, others) {
  return times(pairedRatio(own, others));
}

function times(value) {
  return `${value.toFixed(2)}×`;
}

function whole(value) {
  return Number.isNaN(value) ? '–' : Math.round(value).toLocaleString('en');
}

function percent(value) {
  return `${Math.round(value * 100)} %`;
}

function number(value) {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}
