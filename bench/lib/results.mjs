import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { dataFolder, projectFile } from './settings.mjs';

/** Puts a section (`## …`) into `bench/results.md`, in the place of the one of the same title. */
export async function keep(section, mysql) {
  const file = projectFile('bench/results.md');
  const [, ...sections] = readFileSync(file, 'utf8').split(/^(?=## )/m);
  const titleOf = (text) => text.split('\n', 1)[0];
  const place = sections.findIndex((one) => titleOf(one) === titleOf(section));
  sections.splice(place < 0 ? sections.length : place, 1, section);
  const text = [await introduction(mysql), ...sections].join('\n\n');
  writeFileSync(file, await format(text, { ...(await resolveConfig(file)), filepath: file }));
}

/** What the figures depend on besides the code. */
async function introduction(mysql) {
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  const { version, flushAtCommit } = await mysql.durability();
  return `# Benchmark

Written by \`npm run bench\`; do not edit. Each section is of its own run, on loopback; WeChat, hubs, database server and services are processes of their own on one machine.

- ${systemName()}
- ${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${memoryGiB} GiB
- disk: 4 KiB written and synced in ${number(fsyncMs())} ms (median)
- SQLite: WAL with \`synchronous = FULL\`; ${version}: \`innodb_flush_log_at_trx_commit = ${flushAtCommit}\``;
}

function systemName() {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  } catch {
    return process.platform;
  }
}

/** Median time until the disk has 4 KiB: what every durable answer waits for. */
function fsyncMs() {
  const path = join(dataFolder(), 'fsync');
  const file = openSync(path, 'w');
  const times = Array.from({ length: 50 }, () => {
    const started = performance.now();
    writeSync(file, Buffer.alloc(4096));
    fsyncSync(file);
    return performance.now() - started;
  });
  closeSync(file);
  rmSync(path);
  return median(times);
}

/** Rows of cells, the first of them the head, as a Markdown table. */
export function table([head, ...rows]) {
  const rule = head.map((_, column) => (column === 0 ? '---' : '--:'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function list(lines) {
  return lines.map((line) => `- ${line}`).join('\n');
}

export function goal(text, reached, figure) {
  return `${reached ? 'reached' : '**missed**'}: ${text} (${figure})`;
}

/** A count that must be 0. */
export function none(count) {
  return count === 0 ? '0' : `**${count}**`;
}

export function whole(value) {
  return Number.isNaN(value) ? '–' : Math.round(value).toLocaleString('en');
}

export function number(value) {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}

/** The middle value, of an even number the mean of the middle two. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

/** The largest of values of which there may be more than a call takes arguments. */
export function most(values) {
  return values.reduce((a, b) => Math.max(a, b), -Infinity);
}

/** p50, p99 and the most of some times. */
export function timesOf(values) {
  const sorted = Float64Array.from(values).toSorted();
  const at = (share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
