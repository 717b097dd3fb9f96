import { setTimeout as delay } from 'node:timers/promises';
import { allDelivered } from './databases.mjs';
import { troubles } from './hub.mjs';
import { kill } from './processes.mjs';

/** V8 still compiles in the first ten seconds: until then a push costs a hub up to a fifth more. */
const FULL = { warmUpMs: 10_000, rounds: 5, ms: 3000 };
const QUICK = { warmUpMs: 500, rounds: 3, ms: 500 };
/** Rest between measurements, for what the last server still has to do (checkpoints, purging). */
const REST_MS = 300;
/** More pushes per second than any server here answers; a round ends early if one does. */
const PER_SECOND = 16_000;
const TICKET = 'component_verify_ticket';
/** What the answers of a kind begin with. */
const ANSWERS = {
  push: () => 'success',
  message: () => 'success',
  read: (token) => `{"component_access_token":"${token}","expires_in":`,
  call: () => '{"ip_list":',
};

/** How often, and for how long each time, targets are measured in turn. */
export function planOf(quick) {
  return quick ? QUICK : FULL;
}

/**
 * Every target warmed up, then in turn, each round beginning with another one.
 * @param load the load generator.
 * @param requests their kind, over how many connections, and whether deliveries are waited for.
 * @param targets each with name, port, path, token, the count of its answers, and `cpu()`: the
 * milliseconds of processor time until now, by part.
 * @returns the rounds of each target, as the generator gives them, with `cores` in use and
 * microseconds of an answer (`micros`) by part.
 */
export async function inTurn(load, requests, targets, { warmUpMs, rounds, ms }) {
  const results = new Map(targets.map((target) => [target, []]));
  for (const target of targets) {
    target.answers = 0;
    await measureOne(load, requests, target, warmUpMs);
  }
  for (let round = 0; round < rounds; round += 1) {
    const first = round % targets.length;
    for (const target of [...targets.slice(first), ...targets.slice(0, first)]) {
      results.get(target).push(await measureOne(load, requests, target, ms));
    }
    process.stdout.write(`  round ${round + 1} of ${rounds}\n`);
  }
  return results;
}

/** One measurement of one target; a wrong answer ends the run. */
async function measureOne(load, { kind, connections, isDelivered }, target, ms) {
  await load.order('prepare', { kind, count: Math.ceil((PER_SECOND * ms) / 1000) });
  await delay(REST_MS);
  const { name, port, path, token } = target;
  const expected = ANSWERS[kind](token);
  const before = target.cpu();
  const startedAt = performance.now();
  const result = await load.order('run', { kind, port, path, ms, expected, connections });
  const elapsedMs = performance.now() - startedAt;
  // What is still to be delivered is work of this measurement, too.
  if (isDelivered && target.database) await allDelivered(target.database);
  const after = target.cpu();
  if (result.wrong > 0) throw new Error(`${name}: ${result.wrong} wrong: ${result.firstWrong}`);
  target.answers += result.answers;
  const byPart = (figure) =>
    Object.fromEntries(
      Object.entries(after).map(([part, until]) => [part, figure(until - before[part])]),
    );
  return {
    ...result,
    cores: byPart((used) => used / elapsedMs),
    micros: byPart((used) => (used * 1000) / result.answers),
  };
}

/** Whether all that was answered is stored, after an end as by a crash. */
export async function proveStored({ name, hub, database, answers }, kind) {
  await kill(hub.server);
  const rows = await database.query(
    'SELECT kind, info_type AS type, COUNT(*) AS pushes FROM callback_event GROUP BY kind, info_type',
  );
  await database.drop();
  const noted = `warnings and errors in the log: ${troubles(hub)}`;
  if (kind === 'read' || kind === 'call') return { text: `${name}: ${noted}`, sound: true };
  // The ticket that the hub was primed with is one more.
  const expected = answers + (kind === 'push' ? 1 : 0);
  const row = rows.find((one) => (kind === 'push' ? one.type === TICKET : one.kind === 'message'));
  const sound = Number(row?.pushes) === expected;
  return {
    text:
      `${name}: ${expected} answered, ${row?.pushes} in the database after SIGKILL: ` +
      `${sound ? 'all stored' : '**NOT ALL STORED**'}; ${noted}`,
    sound,
  };
}
