import { once } from 'node:events';
import { connect } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { proxyFor } from '../common/proxy-agent.js';
import { remark, type Remark } from '../common/remarks.js';
import type { Secret } from '../common/secret.js';
import { ComponentCall } from '../token/component-call.js';
import type { Component } from '../component/component.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { isTicketUsable } from '../ticket/ticket.js';
import { TicketPushService } from '../ticket/ticket-push.service.js';
import { TicketService } from '../ticket/ticket.service.js';
import { wechatAgents } from '../wechat-api/wechat-agents.js';
import { WechatApiClient } from '../wechat-api/wechat-api.client.js';
import { WechatApiError } from '../wechat-api/wechat-api.error.js';
import { ask, AskError } from '../common/ask.js';
import { finding, type Finding } from './findings.js';
import { CLOCK_OFF_MS, obstacleOf, refusalOf, refusalVerdict } from './verdicts.js';

/** From here on a clock makes go wrong what depends on it. */
const CLOCK_WRONG_MS = 60_000;

/** The way to WeChat, and what WeChat says. */
@Injectable()
export class WechatChecks {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly wechat: WechatApiClient,
    private readonly tickets: TicketService,
    private readonly pushes: TicketPushService,
    private readonly call: ComponentCall,
    private readonly clock: Clock,
  ) {}

  /** Through which proxy WeChat is called, and deliveries; that something listens where one is used. */
  async proxy(limitMs: number): Promise<Finding> {
    const { proxies, wechatApi } = this.config;
    const { https, http, forDeliveries } = proxies;
    if (!https && !http) return finding('proxy_none');
    const base = new URL(wechatApi.baseUrl);
    const ofWechat = proxyFor(base, proxies);
    const used = [ofWechat, ...(forDeliveries ? [https, http] : [])].filter(
      (one) => one !== undefined,
    );
    const lines = [remark(forDeliveries ? 'line_deliveries_proxied' : 'line_deliveries_direct')];
    const [message] = await problemsOf(used, limitMs);
    if (message !== undefined) return finding('proxy_unreachable', { message }, lines);
    const { host } = base;
    if (!ofWechat) return finding('proxy_unused', { host }, lines);
    return finding('proxy_ok', { host, proxy: new URL(ofWechat.reveal()).host }, lines);
  }

  /** DNS, TLS and an answer, through the proxy where one is set, over a connection of its own. */
  async way(limitMs: number): Promise<Finding> {
    const { baseUrl } = this.config.wechatApi;
    const { host } = new URL(baseUrl);
    const { httpAgent, httpsAgent } = wechatAgents(this.config, limitMs);
    const agent = baseUrl.startsWith('https:') ? httpsAgent : httpAgent;
    try {
      const { milliseconds } = await ask(baseUrl, { agent, limitMs });
      return finding('wechat_ok', { host, milliseconds });
    } catch (error) {
      if (!(error instanceof AskError)) throw error;
      const { message } = error;
      return finding(`wechat_${obstacleOf(error)}`, { host, message });
    } finally {
      agent.destroy();
    }
  }

  async clockAgainstWechat(): Promise<Finding> {
    try {
      const before = this.clock.now();
      const theirs = await this.wechat.clock();
      if (theirs === undefined) return finding('clock_unknown');
      // They said the time somewhere in between, and cut the second off.
      const off = Math.abs((before + this.clock.now()) / 2 - (theirs + 500));
      const seconds = Math.round(off / 1000);
      if (off >= CLOCK_WRONG_MS) return finding('clock_wrong', { seconds });
      return finding(off >= CLOCK_OFF_MS ? 'clock_off' : 'clock_ok', { seconds });
    } catch (error) {
      if (!(error instanceof WechatApiError)) throw error;
      return finding('clock_unknown');
    }
  }

  /**
   * Calls WeChat with AppID and AppSecret (api_start_push_ticket, so that a ticket is pushed), then
   * with the token, where there is a ticket for one.
   */
  async asked({ appid }: Component): Promise<Finding> {
    try {
      const answer = await this.pushes.startPush(appid);
      const ticket = await this.tickets.latest(appid);
      if (!isTicketUsable(ticket, this.clock.now())) return finding('asked_secret', { answer });
      await this.call.run(appid, (token) => this.wechat.apiAddresses(token));
      return finding('asked_ok', { answer });
    } catch (error) {
      if (error instanceof WechatApiError) return refusalVerdict(refusalOf(error));
      const isTooSoon = error instanceof HubError && error.code === 'start_push_too_soon';
      if (!isTooSoon) throw error;
      return finding('asked_too_soon');
    }
  }
}

/** Why connections with proxies cannot be had, without their users and passwords. */
async function problemsOf(proxies: Secret[], limitMs: number): Promise<Remark[]> {
  const problems = proxies.map(async (url): Promise<Remark[]> => {
    const { protocol, hostname, host: proxy, port } = new URL(url.reveal());
    const standard = protocol === 'https:' ? 443 : 80;
    const host = hostname.replaceAll(/[[\]]/g, '');
    const socket = connect({ host, port: Number(port) || standard });
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(limitMs) });
      return [];
    } catch (error) {
      const { code = 'ERR_NETWORK' } = error as NodeJS.ErrnoException;
      const isLate = code === 'ABORT_ERR';
      return [
        isLate
          ? remark('proxy_silent', { proxy, ms: limitMs })
          : remark('proxy_unreachable', { proxy, code }),
      ];
    } finally {
      socket.destroy();
    }
  });
  return (await Promise.all(problems)).flat();
}
