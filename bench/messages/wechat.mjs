/** WeChat, and the load balancer of the platform that it sends its messages to. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WechatSimulator } from '../../dist/simulator/wechat-simulator.js';
import { COMPONENT } from '../lib/settings.mjs';
import { obey } from './worker.mjs';

const simulator = await WechatSimulator.start({ components: [COMPONENT] });
const SETTLE_POLL_MS = 100;
/** What a hub asks for every account that is new to it. */
const ASKED = ['api_get_authorizer_info', 'api_authorizer_token'];
const arrived = (call) => simulator.callSummary().paths[`/cgi-bin/component/${call}`]?.arrived ?? 0;
let succeeded = [];

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
  addAccounts: ({ count }) => simulator.addAccounts({ count, authorizedTo: COMPONENT.appid }),
  /** A first ticket for a hub, so that it is one that works. */
  prime: async ({ port }) => {
    const pushUrl = `http://127.0.0.1:${port}/callback/${COMPONENT.appid}/events`;
    simulator.updateComponent(COMPONENT.appid, { pushUrl });
    simulator.clearCalls();
    await simulator.pushTicket(COMPONENT.appid);
  },
  /** Until a hub that was primed has asked for the information and token of so many accounts. */
  settled: async ({ count }) => {
    while (ASKED.some((call) => arrived(call) < count)) await delay(SETTLE_POLL_MS);
  },
  balance: ({ ports }) => new Balancer(ports).listen(),
  load: ({ port, ...options }) => {
    succeeded = [];
    simulator.startLoad(COMPONENT.appid, {
      ...options,
      url: `http://127.0.0.1:${port}/callback/${COMPONENT.appid}/messages/$APPID$`,
      onEnd: ({ outcome, msgId }) => {
        if (outcome === 'success' || outcome === 'reply') succeeded.push(msgId);
      },
    });
  },
  progress: () => simulator.loadReport(),
  end: () => simulator.waitForLoad(),
  /** MsgIds of what was answered. */
  answered: () => succeeded,
});
