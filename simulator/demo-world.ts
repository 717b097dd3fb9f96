import Libsql from 'libsql';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_PUSH_INTERVAL_SECONDS } from './defaults.js';
import type { AccountOptions } from './fake-account.js';
import type { ComponentSettings } from './fake-component.js';
import { readBody } from './http-body.js';
import type { SendOptions } from './messages.js';
import type { WechatSimulator } from './wechat-simulator.js';

/*
 * What the demo's console has to show: two platforms, a dozen accounts in each state, messages of
 * several types, services that answer, take, fail and are gone. Everything by the hub's routes and
 * by what WeChat would do, but for dead deliveries: the hub gives up after three days.
 */

const SECOND_PLATFORM: ComponentSettings = {
  appid: 'wx0123456789abcde0',
  appsecret: 'fake-secret-for-simulator-only-1',
  token: 'hub_cb_Token2026',
  encodingAesKey: 'Qm2XvT9bR4nLcW1yHs8PdJ6uGfA3eKxViNtO5aBgZk7',
};

/** Longest wait for what the hub does by its timers. */
const PATIENCE_MS = 25_000;
/** WeChat's answer for a refresh token that is void. */
const VOID_REFRESH_TOKEN = { path: '/cgi-bin/component/api_authorizer_token', errcode: 61023 };
/** Deliveries that are as if the hub had given them up. */
const DEAD = 3;
/** Attempts after which it does. */
const ALL_ATTEMPTS = 10;
const BANNED = 14;
const MESSAGES = ['text', 'image', 'voice', 'location', 'link', 'miniprogrampage'];
const EVENTS = ['subscribe', 'SCAN', 'CLICK', 'LOCATION'];
const QUESTIONS = [
  '你好，什么时候发货？',
  '可以开发票吗',
  'Where is my order 4711?',
  '附近有门店吗',
];

/** What becomes of an account after it has authorized. */
type Fate = 'active' | 'withdrawn' | 'void' | 'banned';

const ACCOUNTS: [name: string, principal: string, kind: AccountOptions['kind'], fate: Fate][] = [
  ['云上茶舍', '杭州云上茶业有限公司', 'official_account', 'active'],
  ['云上茶舍商城', '杭州云上茶业有限公司', 'mini_program', 'active'],
  ['晨光书店', '南京晨光图书有限公司', 'official_account', 'active'],
  ['晨光书店会员', '南京晨光图书有限公司', 'mini_program', 'active'],
  ['海岛民宿', '厦门海岛文旅有限公司', 'official_account', 'active'],
  ['小满烘焙', '成都小满食品有限公司', 'mini_program', 'active'],
  ['Harbour Coffee', 'Harbour Coffee (Shanghai) Ltd', 'official_account', 'active'],
  ['绿野户外', '昆明绿野体育有限公司', 'official_account', 'withdrawn'],
  ['拾光影像', '西安拾光文化有限公司', 'official_account', 'void'],
  ['同城优选', '武汉同城优选网络有限公司', 'mini_program', 'banned'],
];
const ACCOUNTS_OF_SECOND: typeof ACCOUNTS = [
  ['北辰汽车服务', '天津北辰汽车服务有限公司', 'official_account', 'active'],
  ['北辰预约', '天津北辰汽车服务有限公司', 'mini_program', 'active'],
];

export interface DemoHub {
  url: string;
  adminToken: string;
}

/** Asks the hub as its administrator. */
export async function askHub<T = Record<string, unknown>>(
  { url, adminToken }: DemoHub,
  path: string,
  body?: object,
  method = body ? 'POST' : 'GET',
): Promise<T> {
  const response = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${adminToken}`,
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as T;
  if (!response.ok)
    throw new Error(`${path} answered ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

/** The services that the hub delivers to, on a port of their own. */
class DemoServices {
  private readonly server: Server = createServer((request, response) => {
    readBody(request, (body) => {
      const isGone = request.url === '/gone';
      const reply = request.url === '/reply' ? replyTo(body) : '';
      response.writeHead(isGone ? 410 : 200, { 'content-type': 'application/json' }).end(reply);
    });
  });

  async start(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** What the service says to a user's text; nothing to everything else. */
function replyTo(body: string): string {
  const { data } = JSON.parse(body) as { data?: { fields?: { Content?: string } } };
  const said = data?.fields?.Content;
  if (said === undefined) return '';
  return JSON.stringify({
    MsgType: 'text',
    Content: `您好，已收到您的留言：${said.slice(0, 100)}`,
  });
}

/** A port on which nothing listens. */
async function deadUrl(): Promise<string> {
  const services = new DemoServices();
  const url = await services.start();
  services.stop();
  return url;
}

/** The world of the demo, which goes on until it is stopped. */
export class DemoWorld {
  private readonly services = new DemoServices();
  private stopped = false;

  constructor(
    private readonly hub: DemoHub,
    private readonly simulator: WechatSimulator,
    /** The platform that the hub knows already, with a ticket. */
    private readonly appid: string,
    /** The hub's SQLite file. */
    private readonly database: string,
  ) {}

  /** Resolves when each page of the console has something to show. */
  async fill(): Promise<void> {
    const target = await this.services.start();
    const name = { name: '云服务平台' };
    await askHub(this.hub, `/admin/components/${this.appid}`, name, 'PATCH');
    await this.subscribe(target);
    await this.addPlatform();
    await Promise.all([
      this.authorize(this.appid, ACCOUNTS, 'wxfedcba98765432'),
      this.authorize(SECOND_PLATFORM.appid, ACCOUNTS_OF_SECOND, 'wxfedcba98765433'),
    ]);
    await Promise.all([this.talk(), this.refused(), this.people()]);
    await askHub(this.hub, `/admin/components/${this.appid}/release-check`, {});
    await this.giveUp();
  }

  stop(): void {
    this.stopped = true;
    this.services.stop();
  }

  private async subscribe(target: string): Promise<void> {
    const dead = await deadUrl();
    const subscriptions = [
      {
        name: '智能客服',
        url: `${target}/reply`,
        mode: 'responder',
        kinds: ['message'],
        types: ['text'],
      },
      { name: '订单系统', url: `${target}/orders`, kinds: ['message', 'event'] },
      { name: '数据仓库', url: `${dead}/ingest`, kinds: ['message'] },
      { name: '旧 CRM', url: `${target}/gone`, kinds: ['authorization'] },
    ];
    for (const one of subscriptions) await askHub(this.hub, '/admin/subscriptions', one);
  }

  private async addPlatform(): Promise<void> {
    const { appid, appsecret, token, encodingAesKey } = SECOND_PLATFORM;
    this.simulator.addComponent({
      ...SECOND_PLATFORM,
      pushUrl: `${this.hub.url}/callback/${appid}/events`,
    });
    const values = {
      componentAppId: appid,
      name: '门店服务平台',
      appSecret: appsecret,
      token,
      encodingAesKey,
    };
    await askHub(this.hub, '/admin/components', values);
    await this.simulator.pushTicket(appid);
    this.simulator.updateComponent(appid, { pushIntervalSeconds: DEFAULT_PUSH_INTERVAL_SECONDS });
    await askHub(this.hub, `/api/components/${appid}/access-token`);
  }

  private async authorize(
    component: string,
    accounts: typeof ACCOUNTS,
    prefix: string,
  ): Promise<void> {
    const { simulator } = this;
    const appidOf = (index: number): string => prefix + index.toString(16).padStart(2, '0');
    for (const [index, [nickName, principalName, kind, fate]] of accounts.entries()) {
      const appid = appidOf(index);
      const accountStatus = fate === 'banned' ? BANNED : 1;
      const described = { nickName, principalName, accountStatus };
      simulator.accounts.add({ appid, ...(kind && { kind }), ...described });
      await simulator.accounts.authorize(component, appid, { push: true });
    }
    const withName = async (): Promise<boolean> => {
      const query = `component=${component}&limit=100`;
      const { authorizers } = await askHub<{ authorizers: { nickName: string | null }[] }>(
        this.hub,
        `/admin/authorizers?${query}`,
      );
      return authorizers.filter(({ nickName }) => nickName !== null).length >= accounts.length;
    };
    for (const limit = Date.now() + PATIENCE_MS; Date.now() < limit && !this.stopped;) {
      if (await withName()) break;
      await delay(250);
    }
    for (const [index, [, , , fate]] of accounts.entries()) {
      const appid = appidOf(index);
      if (fate === 'withdrawn') await simulator.accounts.withdraw(component, appid, { push: true });
      if (fate === 'void') await this.voidRefreshToken(component, appid);
    }
  }

  /** WeChat refuses the account's refresh token, which only a new authorization cures. */
  private async voidRefreshToken(component: string, account: string): Promise<void> {
    const fault = this.simulator.addFault({ kind: 'errcode', ...VOID_REFRESH_TOKEN });
    const path = `/admin/authorizers/${component}/${account}/refresh`;
    await askHub(this.hub, path, {}).catch(() => undefined);
    this.simulator.removeFaults(fault);
  }

  private async talk(): Promise<void> {
    const { messages } = this.simulator;
    const accounts = [0, 1, 2, 4, 6].map((index) => `wxfedcba98765432${`0${index}`}`);
    const send = (account: string, options: SendOptions & { msgType?: string }) =>
      messages.send(this.appid, account, { tries: 1, ...options });
    for (const [index, account] of accounts.entries()) {
      const Content = QUESTIONS[index % QUESTIONS.length] ?? '';
      await send(account, { fields: { Content } });
      await messages.sendEvent(this.appid, account, {
        tries: 1,
        event: EVENTS[index % EVENTS.length] ?? 'subscribe',
      });
    }
    for (const msgType of MESSAGES) await send(accounts[0] ?? '', { msgType });
    // An account that the hub has never heard of.
    await send('wxfedcba9876540000', { fields: { Content: '有人吗？' } });
    await messages.send(SECOND_PLATFORM.appid, 'wxfedcba9876543300', {
      fields: { Content: '预约保养' },
    });
  }

  /** Three days of failures at once: the first deliveries that failed are dead. */
  private async giveUp(): Promise<void> {
    const failing = async (): Promise<string[]> => {
      const path = '/admin/deliveries?status=pending&type=text&limit=100';
      const { deliveries } = await askHub<{
        deliveries: { id: string; attempts: number; inHand: boolean }[];
      }>(this.hub, path);
      return deliveries
        .filter(({ attempts, inHand }) => attempts > 0 && !inHand)
        .map(({ id }) => id);
    };
    let ids: string[] = [];
    for (const limit = Date.now() + PATIENCE_MS; Date.now() < limit && !this.stopped;) {
      ids = (await failing()).slice(-DEAD);
      if (ids.length === DEAD) break;
      await delay(250);
    }
    const database = new Libsql(this.database, { timeout: 5000 });
    try {
      const statement = database.prepare(
        `UPDATE delivery SET status = 'dead', attempts = ?, next_attempt_at = NULL,
         finished_at = ? WHERE id = ? AND status = 'pending' AND lease_owner IS NULL`,
      );
      for (const id of ids) statement.run(ALL_ATTEMPTS, Date.now(), id);
    } finally {
      database.close();
    }
  }

  /** Pushes that somebody signs with another Token. */
  private async refused(): Promise<void> {
    for (let count = 0; count < 3; count += 1) {
      await this.simulator.pushTicket(this.appid, { token: 'another_Token', issued: false });
    }
  }

  private async people(): Promise<void> {
    const hour = 3_600_000;
    await askHub(this.hub, '/admin/operators', { name: '李雷', role: 'operator' });
    await askHub(this.hub, '/admin/operators', { name: '韩梅梅', role: 'viewer' });
    await askHub(this.hub, '/admin/api-keys', {
      name: '订单系统',
      scopes: ['token:read', 'token:refresh'],
      networks: ['10.0.0.0/8'],
      expiresAt: new Date(Date.now() + 90 * 24 * hour).toISOString(),
    });
    const link = { componentAppId: this.appid };
    await askHub(this.hub, '/admin/authorizations/links', link);
  }
}
