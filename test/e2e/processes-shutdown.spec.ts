import type { Agent } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mysqlOnly } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { HubProcess } from '../support/hub-process.js';
import { Burst, burstAgent, send, tally, type BurstAnswer } from '../support/process-burst.js';
import { EXCHANGE_PATH, ProcessFleet, since } from '../support/process-fleet.js';

const { appid } = COMPONENT;
const TOKEN_PATH = `/api/components/${appid}/access-token`;
const STOP_LIMIT_MS = 10_000;
const EXCHANGE_MS = 1500;
const READERS = 50;
const BUSY_CLIENTS = 20;
const ANSWERS_BEFORE_STOP = 1000;

describe.each(mysqlOnly())('a hub process that gets SIGTERM on %s', (kind) => {
  const agent = burstAgent();
  let fleet: ProcessFleet;

  beforeAll(async () => {
    fleet = await ProcessFleet.start(kind, 4);
    await fleet.prime(appid, fleet.hub(0));
  }, 60_000);
  beforeEach(() => fleet.simulator.clearCalls());
  afterAll(async () => {
    agent.destroy();
    await fleet.close();
  });

  it('finishes the exchange in flight, saves its token, and answers who waits for it', async () => {
    const [stopping, , , other] = fleet.hubs as HubProcess[] as [HubProcess, ...HubProcess[]];
    const { generation } = await fleet.row(appid);
    const slow = { path: EXCHANGE_PATH, kind: 'delay', delayMs: EXCHANGE_MS, times: 1 } as const;
    fleet.simulator.addFault(slow);
    // Each host looks for expired tokens every 5 s; frozen ones leave the exchange to this one.
    const others = fleet.hubs.filter((hub) => hub !== stopping);
    for (const { child } of others) child.kill('SIGSTOP');
    const waiting = await waitForToken(fleet, stopping, agent);
    await fleet.simulator.waitForCall(EXCHANGE_PATH);
    const stopped = await stop(stopping);
    const answers = await waiting.answers;
    for (const { child } of others) child.kill('SIGCONT');
    await Promise.all(others.map(({ hub }) => hub.token(appid)));
    console.log(
      `SIGTERM during an exchange: exit ${stopped.code} after ${stopped.ms} ms, ` +
        `${READERS} waiting readers: ${JSON.stringify(tally(answers))}`,
    );
    expect(stopped.code).toBe(0);
    expect(stopped.ms).toBeLessThan(STOP_LIMIT_MS);
    expect(tally(answers)).toEqual({ 200: READERS });
    const saved = { generation: generation + 1, leaseOwner: null, attempts: 0, lastError: null };
    expect(await fleet.row(appid)).toEqual(saved);
    const newest = fleet.simulator.currentToken(appid)?.value;
    expect((await other?.hub.accessToken(appid))?.json.component_access_token).toBe(newest);
    expect(fleet.exchanges()).toBe(1);
  });

  it('sends busy clients away with an answer and cuts none of their requests', async () => {
    const stopping = fleet.hub(1);
    const clients = new BusyClients(stopping.hub.url + TOKEN_PATH, agent);
    await clients.answered(ANSWERS_BEFORE_STOP);
    const stopped = await stop(stopping);
    const answers = await clients.ended;
    console.log(
      `SIGTERM under ${BUSY_CLIENTS} busy clients: exit ${stopped.code} after ` +
        `${stopped.ms} ms, ${JSON.stringify(tally(answers))}`,
    );
    expect(stopped.code).toBe(0);
    expect(stopped.ms).toBeLessThan(STOP_LIMIT_MS);
    expect(tally(answers)).toEqual({ 200: expect.any(Number), 503: BUSY_CLIENTS });
  });

  it('does not wait for the lease of a host that has crashed', async () => {
    const [stopping, crashed] = [fleet.hub(2), fleet.hub(3)];
    fleet.simulator.addFault({ path: EXCHANGE_PATH, kind: 'hang', times: 1 });
    crashed.hub.post(`/admin/tokens/${appid}/refresh`).catch(() => undefined);
    await fleet.simulator.waitForCall(EXCHANGE_PATH);
    await crashed.kill();
    const waiting = await waitForToken(fleet, stopping, agent);
    const stopped = await stop(stopping);
    const answers = await waiting.answers;
    console.log(
      `SIGTERM while waiting for a dead host's lease: exit ${stopped.code} after ` +
        `${stopped.ms} ms, ${READERS} waiting readers: ${JSON.stringify(tally(answers))}`,
    );
    expect(stopped.code).toBe(0);
    expect(stopped.ms).toBeLessThan(STOP_LIMIT_MS);
    expect(tally(answers)).toEqual({ 503: READERS });
  });
});

/** Readers at one hub that have to wait, because the token has expired. */
async function waitForToken(fleet: ProcessFleet, at: HubProcess, agent: Agent): Promise<Burst> {
  fleet.simulator.expireTokens(appid);
  await fleet.age(appid, 'expired');
  await at.hub.token(appid);
  const url = at.hub.url + TOKEN_PATH;
  const burst = new Burst(
    Array.from({ length: READERS }, () => ({ url })),
    agent,
  );
  await burst.sent;
  // What was sent before these has been claimed when they are answered.
  for (let turn = 0; turn < 3; turn += 1) await at.hub.get('/health/live');
  return burst;
}

async function stop(host: HubProcess): Promise<{ code: number | null; ms: number }> {
  const started = performance.now();
  const code = await host.stop();
  return { code, ms: since(started) };
}

/** Clients that ask again as soon as they are answered, until they are sent elsewhere. */
class BusyClients {
  /** Resolves with all answers when every client has got something else than 200. */
  readonly ended: Promise<BurstAnswer[]>;
  private readonly answers: BurstAnswer[] = [];
  private enough: { count: number; resolve: () => void } | undefined;

  constructor(
    private readonly url: string,
    private readonly agent: Agent,
  ) {
    const clients = Array.from({ length: BUSY_CLIENTS }, () => this.loop());
    this.ended = Promise.all(clients).then(() => this.answers);
  }

  /** Resolves when so many answers have come. */
  answered(count: number): Promise<void> {
    return new Promise((resolve) => (this.enough = { count, resolve }));
  }

  private async loop(): Promise<void> {
    let answer: BurstAnswer;
    do {
      answer = await send({ url: this.url }, this.agent).answer;
      this.answers.push(answer);
      if (this.enough && this.answers.length >= this.enough.count) this.enough.resolve();
    } while (answer.status === 200);
  }
}
