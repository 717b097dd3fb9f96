import { setTimeout as delay } from 'node:timers/promises';
import { cpuMs } from './processes.mjs';

/** Rest between measurements, for what the last server still has to do (checkpoints, purging). */
const REST_MS = 300;
/** More pushes per second than any server here answers; a round ends early if one does. */
const PUSHES_PER_SECOND = 16_000;

/**
 * Warms every target up, then measures them in turn, round after round, each round beginning
 * with another one: what slows the machine down for a while hits all of them.
 * @param {object} load the load generator
 * @param {{ kind: 'push' | 'read', targets: object[], ms: number }} what
 * @param {{ warmUpMs: number, rounds: number }} plan
 * @returns {Promise<Map<object, object[]>>} the rounds of each target
 */
export async function measureInTurn(load, { kind, targets, ms }, { warmUpMs, rounds }) {
  const results = new Map(targets.map((target) => [target, []]));
  await prepare(load, kind, warmUpMs);
  for (const target of targets) await measure(load, target, kind, warmUpMs);
  for (let round = 0; round < rounds; round += 1) {
    await prepare(load, kind, ms);
    const first = round % targets.length;
    for (const target of [...targets.slice(first), ...targets.slice(0, first)]) {
      await delay(REST_MS);
      results.get(target).push(await measure(load, target, kind, ms));
    }
    process.stdout.write(`  round ${round + 1} of ${rounds}\n`);
  }
  return results;
}

/** One measurement of one target; a wrong answer ends the run. */
export async function measure(load, target, kind, ms) {
  const before = cpuMs(target.server);
  const order = { kind, port: target.port, ms, expected: target.expected };
  const result = await load.run(order);
  const after = cpuMs(target.server);
  if (result.wrong > 0) {
    const { wrong, answers, firstWrong } = result;
    throw new Error(`${target.name}: ${wrong} of ${answers} answers are wrong: ${firstWrong}`);
  }
  target.onAnswers?.(result.answers);
  const cpu = before === undefined ? NaN : ((after - before) * 1000) / result.answers;
  return { ...result, serverCpuMicros: cpu };
}

async function prepare(load, kind, ms) {
  if (kind === 'push') await load.preparePushes(Math.ceil((PUSHES_PER_SECOND * ms) / 1000));
}
