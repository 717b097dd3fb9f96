/** WeChat, and the load balancer of the platform that it sends its messages to. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WechatSimulator } from '../../dist/simulator/wechat-simulator.js';
import { timesOf } from '../lib/results.mjs';
import { COMPONENT } from '../lib/settings.mjs';
import { obey } from '../lib/worker.mjs';

const { appid } = COMPONENT;
const simulator = await WechatSimulator.start({ components: [COMPONENT] });
const POLL_MS = 100;
const REFRESH_PATH = '/cgi-bin/component/api_authorizer_token';
/** What a hub asks for every account that is new to it. */
const ASKED = ['/cgi-bin/component/api_get_authorizer_info', REFRESH_PATH];
const arrived = (path) => simulator.callSummary().paths[path]?.arrived ?? 0;
/** Messages sent in one go: answers are read in between, also when the machine is behind. */
const IN_ONE_GO = 64;
let accounts = [];
let authorizations = 0;
let load;

/** Messages at a steady rate: sent when they are due, as long as no more are under way than may be. */
class Load {
  sent = 0;
  lateness = [];
  results = [];

  constructor(plan) {
    this.plan = plan;
    this.users = `o${randomBytes(12).toString('base64url')}`;
    this.ended = this.#run();
  }

  async #run() {
    const { perSecond, count, atOnce = Infinity } = this.plan;
    const underWay = [];
    const began = performance.now();
    while (this.sent < count) {
      const due = 1 + Math.floor(((performance.now() - began) * perSecond) / 1000);
      const free = Math.min(IN_ONE_GO, atOnce - (this.sent - this.results.length));
      const upTo = Math.min(due, count, this.sent + free);
      for (; this.sent < upTo; this.sent += 1) {
        this.lateness.push(performance.now() - began - (this.sent * 1000) / perSecond);
        underWay.push(this.#send(this.sent));
      }
      await delay(2);
    }
    const seconds = (performance.now() - began) / 1000;
    await Promise.all(underWay);
    return this.#report(seconds);
  }

  async #send(number) {
    const { outcome, msgId, ms, tries } = await simulator.messages.send(
      appid,
      accounts[number % accounts.length],
      {
        // A user for each message.
        fromUser: this.users + String(number).padStart(8, '0'),
        fields: { Content: `message ${number}` },
        tries: this.plan.tries ?? 1,
        url: `http://127.0.0.1:${this.plan.port}/callback/${appid}/messages/$APPID$`,
      },
    );
    const reason = { unanswered: tries.at(-1).code, refused: tries.at(-1).status }[outcome];
    const ended = reason === undefined ? outcome : `${outcome}: ${reason}`;
    this.results.push({ outcome: ended, msgId, ms, tries: tries.length });
  }

  #report(seconds) {
    const { sent, results, lateness } = this;
    const outcomes = {};
    for (const { outcome } of results) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    return {
      sent,
      outcomes,
      sentPerSecond: sent / seconds,
      retries: results.reduce((sum, { tries }) => sum + tries - 1, 0),
      latency: timesOf(results.map(({ ms }) => ms)),
      lateness: timesOf(lateness),
    };
  }
}

/** Spreads connections over hubs; what cannot connect to one is given to the next. */
class Balancer {
  #next = 0;

  constructor(ports) {
    this.ports = ports;
    this.server = createServer({ noDelay: true }, (client) => this.#pass(client, ports.length));
  }

  async listen() {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return this.server.address().port;
  }

  #pass(client, tries) {
    const port = this.ports[this.#next++ % this.ports.length];
    const hub = connect({ port, host: '127.0.0.1', noDelay: true });
    client.on('error', () => hub.destroy()).on('close', () => hub.destroy());
    const refused = () => (tries > 1 ? this.#pass(client, tries - 1) : client.destroy());
    hub.once('error', refused);
    hub.once('connect', () => {
      hub.off('error', refused);
      hub.on('error', () => client.destroy()).on('close', () => client.destroy());
      client.pipe(hub).pipe(client);
    });
  }
}

obey({
  url: () => simulator.url,
  /** Accounts that have authorized; `prefix` makes their appids differ from those of other calls. */
  addAccounts: (options) => {
    accounts = simulator.accounts.add({ ...options, authorizedTo: appid });
  },
  /** A first ticket for a hub, so that it is one that works. */
  prime: async ({ port }) => {
    simulator.clearCalls();
    // By its address, and not as the component's own: a hub that asks for a ticket gets no other one.
    const url = `http://127.0.0.1:${port}/callback/${appid}/events`;
    const { body } = await simulator.push(appid, simulator.buildTicketPush(appid), { url });
    if (body !== 'success') throw new Error(`The hub answered the ticket with ${body}`);
  },
  /** Until a hub that was primed has asked for the information and token of so many accounts. */
  settled: async ({ count }) => {
    while (ASKED.some((path) => arrived(path) < count)) await delay(POLL_MS);
  },
  /** Tokens of many accounts, as a hub would have got them. */
  issue: (range) => simulator.accounts.issueTokens(appid, range),
  /** From now on a refresh is answered so late, and refreshes are counted from 0. */
  answerIn: ({ delayMs }) => {
    simulator.clearCalls();
    simulator.addFault({ path: REFRESH_PATH, kind: 'delay', delayMs });
  },
  /** New accounts authorize at a steady rate, and half of them withdraw; both is pushed to a hub. */
  authorize: async ({ port, count, perSecond }) => {
    const url = `http://127.0.0.1:${port}/callback/${appid}/events`;
    const push = async ({ event }) => {
      const { body } = await simulator.push(appid, event, { url });
      if (body !== 'success') throw new Error(`The hub answered an authorization with ${body}`);
    };
    for (let made = 0; made < count; made += 1) {
      authorizations += 1;
      const prefix = `wxnew${authorizations}x`;
      const [account] = simulator.accounts.add({ count: 1, prefix });
      await push(await simulator.accounts.authorize(appid, account, { push: false }));
      await delay(1000 / perSecond);
      if (made % 2) await push(await simulator.accounts.withdraw(appid, account, { push: false }));
    }
  },
  refreshes: () => arrived(REFRESH_PATH),
  forgetCalls: () => simulator.clearCalls(),
  balance: ({ ports }) => new Balancer(ports).listen(),
  load: (plan) => {
    load = new Load(plan);
  },
  sent: () => load.sent,
  end: () => load.ended,
  /** MsgIds of what was answered. */
  answered: () =>
    load.results
      .filter(({ outcome }) => outcome === 'success' || outcome === 'reply')
      .map(({ msgId }) => msgId),
});
