import { pairedRatio, median } from '../lib/statistics.mjs';

const ANSWER_GOAL_MS = 100;
const WECHAT_WAITS_MS = 5000;
const FLOOR_GOAL = 0.5;
const PEER_GOAL = 3;

/** The results as Markdown, and whether everything holds that must. */
export function report({ machine, settings, lossless, answers, rate, durability }) {
  const parts = ['# Messages and events', introduction({ machine, durability })];
  if (lossless)
    parts.push('## A hub killed, a target down: nothing is lost', losslessText(lossless));
  if (answers) parts.push('## Answer to WeChat with a responder', answersText(answers, settings));
  if (rate) parts.push('## Messages received, durable', rateText(rate, settings));
  return { text: `${parts.join('\n\n')}\n`, sound: !lossless || isSound(lossless) };
}

function introduction({ machine, durability }) {
  const { version, flushAtCommit } = durability;
  return [
    'Written by `npm run bench -- messages`; do not edit. WeChat, hubs, database server and ' +
      'services are processes of their own on one machine, on loopback. Each section may be of a run of its own.',
    `- Node ${machine.node}, ${machine.system}\n` +
      `- ${machine.cores} cores (${machine.processor}), ${machine.memoryGiB} GiB\n` +
      `- disk: 4 KiB written and synced in ${number(machine.fsyncMs)} ms (median)\n` +
      `- SQLite: \`synchronous = FULL\`; ${version}: ` +
      `\`innodb_flush_log_at_trx_commit = ${flushAtCommit}\``,
  ].join('\n\n');
}

function losslessText(result) {
  const { report: load, hands, date } = result;
  const outcomes = Object.entries(load.outcomes).map(([name, count]) => `${whole(count)} ${name}`);
  const lines = [
    `${date} UTC: ${whole(load.sent)} messages at ${whole(load.sentPerSecond)}/s through a load balancer and ` +
      'two hubs on one MySQL to one subscriber that verifies every signature; the subscriber is ' +
      'down for 3 s after a quarter, and one hub killed with `kill -9` after half and not started ' +
      `again; load average ${number(result.loads.mean)} on the mean, ${number(result.loads.most)} at most`,
    `WeChat was answered: ${outcomes.join(', ')}; ${whole(load.retries)} tries were second or ` +
      `third ones; from handing over to answer p50 ${number(load.latency.p50)} ms, ` +
      `p99 ${number(load.latency.p99)} ms`,
    `answered and not delivered: ${mark(result.lost)}; recorded twice: ` +
      `${mark(result.stored - result.storedMessages)}; delivered under two ids: ` +
      `${mark(result.twoIds)}; wrong signatures: ${mark(result.unsigned)}`,
    `deliveries by state at the end: ${JSON.stringify(result.statuses)}, ` +
      `${number(result.drainedMs / 1000)} s after the last message`,
    `in hand of the hub that was killed: ${hands} deliveries, of which the subscriber had got ` +
      `${result.arrivedAtCrash}; delivered twice: ${result.repeatedAtCrash} of these (answered at ` +
      `most ${whole(result.oldestAtCrashMs)} ms before), ${result.repeatedAtOutage} under way when ` +
      `the subscriber went down, ${mark(result.unexplained)} others; all taken over by the other ` +
      `hub within ${number(result.takeoverMs / 1000)} s (a lease is 30 s)`,
    `warnings and errors in the logs: ${troublesText(result.troubles)}`,
  ];
  return lines.map((line) => `- ${line}`).join('\n');
}

function troublesText(troubles) {
  if (troubles.length === 0) return 'none';
  return troubles.map(([message, count]) => `${count} × “${message}”`).join(', ');
}

function isSound({ lost, twoIds, unsigned, unexplained, stored, storedMessages, statuses }) {
  const left = Object.keys(statuses).some((status) => status !== 'delivered');
  return !left && stored === storedMessages && lost + twoIds + unsigned + unexplained === 0;
}

function answersText({ rows, loadBefore, date }, settings) {
  const { answersPerSecond, answerSeconds, hangPerSecond, hangSeconds } = settings;
  const head = ['', 'replies', 'p50 ms', 'p99 ms', 'max ms', 'CPU µs/message', 'sent late p99 ms'];
  const quick = rows.map(({ name, quick: load }) => [
    name,
    shareOf(load, 'reply'),
    ...timesOf(load),
  ]);
  const hangHead = ['', 'answered `success`', ...head.slice(2)];
  const hanging = rows.map(({ name, hanging: load }) => [
    name,
    shareOf(load, 'success'),
    ...timesOf(load),
  ]);
  const goals = rows.flatMap(({ name, quick: { latency, sent, outcomes }, hanging: hung }) => [
    goal(
      `${name}: p99 under ${ANSWER_GOAL_MS} ms`,
      latency.p99 < ANSWER_GOAL_MS && outcomes.reply === sent,
      `${number(latency.p99)} ms`,
    ),
    goal(
      `${name}: responder hanging, all answered within 5 s`,
      hung.outcomes.success === hung.sent && hung.latency.max < WECHAT_WAITS_MS,
      `${shareOf(hung, 'success')}, ${whole(hung.latency.max)} ms at most`,
    ),
  ]);
  return [
    `${date} UTC: one hub; load average ${number(loadBefore)} before. A responder that answers after 20 ms: ` +
      `${answersPerSecond} messages a second for ${answerSeconds} s after a warm-up, sent when they ` +
      'are due; WeChat decrypts and checks every reply.',
    table(head, quick),
    `A responder that never answers: ${hangPerSecond} messages a second for ${hangSeconds} s.`,
    table(hangHead, hanging),
    goals.join('\n'),
  ].join('\n\n');
}

function shareOf({ outcomes, sent }, outcome) {
  return `${whole(outcomes[outcome] ?? 0)} of ${whole(sent)}`;
}

function timesOf({ latency, lateness, cpuMicros }) {
  const times = [latency.p50, latency.p99, latency.max].map(number);
  return [...times, whole(cpuMicros), number(lateness.p99)];
}

function rateText({ rounds, floor, peer, ours, growth, fleets, loadBefore, date }, settings) {
  const floorRounds = rounds.get(floor);
  const peerRounds = rounds.get(peer);
  const head = ['server', 'messages/s', 'lowest–highest', 'p50 ms', 'p99 ms', 'CPU µs/message'];
  const own = [...rounds].map(([{ name }, all]) => [
    name,
    ...figures(all),
    ratioText(pairedRatio(all, floorRounds)),
    ratioText(pairedRatio(all, peerRounds)),
    deliveredOf(all),
  ]);
  const one = growth.get(fleets[0]);
  const grown = [...growth].map(([{ name }, all]) => [
    name,
    ...figures(all),
    ratioText(pairedRatio(all, one)),
  ]);
  const goals = ours.flatMap((target) => {
    const all = rounds.get(target);
    const [toFloor, toPeer] = [pairedRatio(all, floorRounds), pairedRatio(all, peerRounds)];
    return [
      goal(`${target.name}: at least half the floor`, toFloor >= FLOOR_GOAL, ratioText(toFloor)),
      goal(`${target.name}: at least 3 times nest-wechat`, toPeer >= PEER_GOAL, ratioText(toPeer)),
    ];
  });
  return [
    `${date} UTC: 32 connections, one message at a time on each; ${settings.rounds} rounds of ` +
      `${settings.roundMs / 1000} s in turn, medians; load average ${number(loadBefore)} before. ` +
      'nest-wechat gets the messages by `pushTicket`, verifies and decrypts them and stores ' +
      'nothing. “Delivered” is until a subscriber has got all of the round; the next one waits for it.',
    table([...head, 'to floor', 'to nest-wechat', 'delivered/s'], own),
    goals.join('\n'),
    `Hubs on one MySQL, without a subscription; all of it on ${settings.cores} cores, which one ` +
      'hub, the database server and the sender fill:',
    table([...head, 'to one'], grown),
  ].join('\n\n');
}

function figures(rounds) {
  const rates = rounds.map(({ perSecond }) => perSecond);
  return [
    whole(median(rates)),
    `${whole(Math.min(...rates))}–${whole(Math.max(...rates))}`,
    number(medianOf(rounds, 'p50')),
    number(medianOf(rounds, 'p99')),
    whole(medianOf(rounds, 'cpu')),
  ];
}

function deliveredOf(rounds) {
  return rounds[0].delivered === undefined ? '' : whole(medianOf(rounds, 'delivered'));
}

function medianOf(rounds, field) {
  return median(rounds.map((round) => round[field]));
}

function table(head, rows) {
  return [head, head.map((_, column) => (column === 0 ? '---' : '--:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

function goal(text, reached, figure) {
  return `- ${reached ? 'reached' : '**missed**'}: ${text} (${figure})`;
}

function mark(count) {
  return count === 0 ? '0' : `**${count}**`;
}

function ratioText(value) {
  return `${value.toFixed(2)}×`;
}

function whole(value) {
  return Math.round(value).toLocaleString('en');
}

function number(value) {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}
