import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIMULATOR_COMPONENT } from './defaults.js';
import type { LoadedMessage, LoadOptions } from './message-load.plan.js';
import { field, TestClient } from './test-client.js';
import { encryptedReply, MessageReceiver, type ReceivedMessage } from './test-receiver.js';
import { WechatSimulator } from './wechat-simulator.js';

const { appid } = SIMULATOR_COMPONENT;
/** CPU time of one message, which other work on the machine lengthens little: 2000 a second. */
const CPU_LIMIT_MS = 0.5;

let simulator: WechatSimulator;
let receiver: MessageReceiver;
let accounts: string[];

beforeEach(async () => {
  receiver = new MessageReceiver();
  simulator = await WechatSimulator.start({
    components: [SIMULATOR_COMPONENT],
    pushBaseUrl: await receiver.start(),
  });
  accounts = simulator.addAccounts({ count: 3, authorizedTo: appid });
});

afterEach(async () => {
  await simulator.stop();
  await receiver.stop();
});

/** A load from its start to its end. */
async function run(options: LoadOptions) {
  simulator.startLoad(appid, options);
  return simulator.waitForLoad();
}

/** How often each value occurs among what was received. */
function tally(of: (message: ReceivedMessage) => string | undefined): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const message of receiver.received) {
    const value = of(message) ?? 'none';
    counts[value] = (counts[value] ?? 0) + 1;
  }
  return counts;
}

const accountOf = ({ path }: ReceivedMessage) => path.split('/').at(-1);
const nameOf = (name: string) => (message: ReceivedMessage) => field(message.text, name);

/** Holds answers until so many have arrived. */
function holdUntil(count: number): void {
  let release: () => void;
  const all = new Promise<void>((resolve) => (release = resolve));
  receiver.answer = async () => {
    if (receiver.received.length === count) release();
    await all;
    return { body: 'success' };
  };
}

describe('a message', () => {
  it('is made up, encrypted and signed in a fraction of a millisecond', () => {
    const count = 2000;
    const began = process.cpuUsage();
    for (let made = 0; made < count; made += 1) simulator.buildMessage(appid, accounts[0] ?? '');
    const { user, system } = process.cpuUsage(began);
    const ms = (user + system) / 1000 / count;
    console.log(`a message: ${ms.toFixed(3)} ms of CPU`);
    expect(ms).toBeLessThan(CPU_LIMIT_MS);
  });
});

describe('a load', () => {
  it('sends its messages at its rate, spread over accounts and types, and reports', async () => {
    const mix = { text: 3, image: 1, 'event.CLICK': 1 };
    const options = { perSecond: 1000, seconds: 0.3, mix, connections: 16, timeoutMs: 20_000 };
    const report = await run(options);
    const { latency, sentPerSecond } = report;
    expect(report).toMatchObject({
      state: 'ended',
      planned: 300,
      sent: 300,
      underWay: 0,
      outcomes: { success: 300 },
      kinds: { text: 180, image: 60, 'event.CLICK': 60 },
      retries: 0,
    });
    // Never ahead of its rate; behind it where the machine is busy.
    expect(report.sendingSeconds).toBeGreaterThanOrEqual(0.299);
    expect(sentPerSecond).toBeLessThanOrEqual(1000.01);
    expect(latency.p50).toBeGreaterThan(0);
    expect(latency.p50).toBeLessThanOrEqual(latency.p99);
    expect(latency.p99).toBeLessThanOrEqual(latency.max);
    expect(tally(nameOf('MsgType'))).toEqual({ text: 180, image: 60, event: 60 });
    expect(tally(accountOf)).toEqual(Object.fromEntries(accounts.map((one) => [one, 100])));
    expect(Object.keys(tally(nameOf('FromUserName')))).toHaveLength(300);
    expect(Object.keys(tally(nameOf('MsgId')))).toHaveLength(241);
  });

  it('sends on while nothing is answered', async () => {
    holdUntil(200);
    const { outcomes } = await run({ perSecond: 2000, count: 200 });
    expect(outcomes).toEqual({ success: 200 });
  });

  it('keeps to its connections, and what waits for one counts as under way', async () => {
    holdUntil(4);
    const { outcomes } = await run({ perSecond: 2000, count: 50, connections: 4 });
    expect(outcomes).toEqual({ success: 50 });
    expect(Object.keys(tally(({ port }) => String(port)))).toHaveLength(4);
  });

  it('tells of every message how it ended', async () => {
    const answers = [
      { body: 'success' },
      { body: '' },
      { body: '<html>' },
      { status: 503 },
      'cut',
    ] as const;
    receiver.answer = ({ text }) => {
      const number = Number(field(text, 'Content')?.split(' ')[1]) - 1;
      if (number === 5) return { body: encryptedReply(replyTo(text)) };
      return answers[number % answers.length] ?? null;
    };
    const ended: LoadedMessage[] = [];
    const { outcomes, retries } = await run({
      perSecond: 1000,
      count: 10,
      accounts: 1,
      tries: 2,
      onEnd: (message) => ended.push(message),
    });
    expect(outcomes).toEqual({
      success: 1,
      reply: 1,
      empty: 2,
      malformed: 2,
      'refused: 503': 2,
      'unanswered: ECONNRESET': 2,
    });
    expect(retries).toBe(4);
    expect(tally(accountOf)).toEqual({ [accounts[0] ?? '']: 14 });
    const taken = ended.filter(({ outcome }) => outcome === 'success');
    expect(taken.map(({ msgId }) => msgId)).toEqual([field(receiver.received[0]?.text, 'MsgId')]);
    expect(new Set(ended.map(({ msgId }) => msgId)).size).toBe(10);
  });

  it('can go to accounts that are named, in JSON', async () => {
    const named = ['wxaaaaaaaaaaaaaaaa', accounts[2] ?? ''];
    await run({ perSecond: 1000, count: 4, accounts: named, format: 'json' });
    expect(tally(accountOf)).toEqual({ [named[0] ?? '']: 2, [named[1] ?? '']: 2 });
    expect(receiver.received[0]?.text).toMatch(/^\{"ToUserName"/);
  });

  it('times out what waits for a connection, too', async () => {
    receiver.answer = () => null;
    const options = { perSecond: 2000, count: 20, connections: 1, timeoutMs: 300 };
    const { outcomes, latency } = await run(options);
    expect(outcomes).toEqual({ 'unanswered: timeout': 20 });
    // One after the other would be 6 s.
    expect(latency.max).toBeLessThan(4000);
  });

  it('ends early when told, after what is under way', async () => {
    const client = new TestClient(simulator);
    let release: (answer: { body: string }) => void = () => undefined;
    const held = new Promise<{ body: string }>((resolve) => (release = resolve));
    const arrived = new Promise<void>((resolve) => {
      receiver.answer = () => {
        resolve();
        return held;
      };
    });
    const options = { component: appid, perSecond: 1, seconds: 60 };
    expect(await client.control('POST', '/load', options)).toMatchObject({ state: 'running' });
    const refused = await client.control('POST', '/load', options);
    expect(refused).toEqual({ error: 'a load is running' });
    await arrived;
    const stopped = (await client.control('DELETE', '/load')) as { state: string; sent: number };
    expect(stopped.state).toBe('draining');
    release({ body: 'success' });
    expect(await simulator.waitForLoad()).toMatchObject({
      state: 'ended',
      sent: stopped.sent,
      outcomes: { success: stopped.sent },
    });
  });

  it('ends with the simulator', async () => {
    const arrived = new Promise<void>((resolve) => {
      receiver.answer = () => {
        resolve();
        return null;
      };
    });
    simulator.startLoad(appid, { perSecond: 1, seconds: 3600, connections: 1 });
    const ended = simulator.waitForLoad();
    await arrived;
    await simulator.stop();
    expect(await ended).toMatchObject({
      state: 'ended',
      sent: 1,
      outcomes: { 'unanswered: stopped': 1 },
    });
  });

  it('is run to its end by the control API, which shows the last one', async () => {
    const client = new TestClient(simulator);
    expect(await client.control('GET', '/load')).toBeNull();
    const body = { perSecond: 500, count: 5, wait: true };
    const report = await client.control('POST', '/load', body);
    expect(report).toMatchObject({ state: 'ended', sent: 5, outcomes: { success: 5 } });
    expect(await client.control('GET', '/load')).toEqual(report);
  });

  it.each([
    [{ count: 1 }, 'perSecond'],
    [{ perSecond: 0, count: 1 }, 'perSecond'],
    [{ perSecond: 20_001, count: 1 }, 'perSecond'],
    [{ perSecond: 1 }, 'either seconds or count'],
    [{ perSecond: 1, count: 1, seconds: 1 }, 'either seconds or count'],
    [{ perSecond: 1, count: -1 }, 'count'],
    [{ perSecond: 20_000, seconds: 3600 }, 'seconds times perSecond'],
    [{ perSecond: 1, count: 1, connections: 5000 }, 'connections'],
    [{ perSecond: 1, count: 1, accounts: 4 }, 'only 3 accounts'],
    [{ perSecond: 1, count: 1, accounts: [] }, 'accounts'],
    [{ perSecond: 1, count: 1, accounts: 'wxaaaaaaaaaaaaaaaa' }, 'accounts'],
    [{ perSecond: 1, count: 1, mix: {} }, 'mix'],
    [{ perSecond: 1, count: 1, mix: { text: -1 } }, 'weight of text'],
    [{ perSecond: 1, count: 1, tries: 1000 }, 'tries'],
  ])('refuses %j', async (options, reason) => {
    const answer = await new TestClient(simulator).control('POST', '/load', options);
    expect(answer).toEqual({ error: expect.stringContaining(reason) });
    expect(simulator.loadReport()).toBeNull();
  });
});

/** A reply to the message, in its simplest form. */
function replyTo(text: string): string {
  const [user, account] = [field(text, 'FromUserName'), field(text, 'ToUserName')];
  return (
    `<xml><ToUserName>${user}</ToUserName><FromUserName>${account}</FromUserName>` +
    `<CreateTime>1</CreateTime><MsgType>text</MsgType><Content>ok</Content></xml>`
  );
}
