import { HttpService } from '@nestjs/axios';
import { Injectable } from '@nestjs/common';
import type { AxiosResponse } from 'axios';
import { firstValueFrom } from 'rxjs';
import { z } from 'zod';
import { exactNumber, parseLenientJson } from '../common/lenient-json.js';
import { ProxyAgent, ProxyError } from '../common/proxy-agent.js';
import { Secret } from '../common/secret.js';
import { emitTelemetry } from '../common/telemetry.js';
import { TrustedTime } from '../common/trusted-time.js';
import { clientIpOf, ridOf } from './errmsg-facts.js';
import { maskedErrmsg } from './masked-errmsg.js';
import { WechatApiError } from './wechat-api.error.js';
import { kindOfErrcode } from './wechat-errcode.js';
import { remark } from '../common/remarks.js';

/** Body of a call; {@link Secret}s are revealed on the way out only. */
export type WechatApiBody = Record<string, string | number | Secret | object>;

/** Longest life of a token that is believed, in seconds; WeChat's is two hours. */
const MAX_LIFE_SECONDS = 86_400;

const lifeSeconds = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^\d{1,6}$/)
      .transform(Number),
  ])
  .pipe(z.int().positive().max(MAX_LIFE_SECONDS));
const componentTokenAnswer = z.object({
  component_access_token: z.string().min(1).max(4096),
  expires_in: lifeSeconds,
});
const jsTicketAnswer = z.object({ ticket: z.string().min(1).max(4096), expires_in: lifeSeconds });
const addressesAnswer = z.object({ ip_list: z.array(z.unknown()) });
const acknowledgement = z.object({ errmsg: z.string().default('ok') });

/** A fresh component_access_token and its life in seconds. */
export interface ComponentToken {
  token: Secret;
  expiresIn: number;
}

/** Typed client of api.weixin.qq.com. Answers are parsed by content: WeChat's types are unreliable. */
@Injectable()
export class WechatApiClient {
  constructor(
    private readonly http: HttpService,
    private readonly time: TrustedTime,
  ) {}

  /**
   * Exchanges a ticket for a component_access_token (api_component_token).
   * @throws {WechatApiError}
   */
  async componentToken(
    componentAppid: string,
    appSecret: Secret,
    ticket: Secret,
  ): Promise<ComponentToken> {
    const answer = await this.post(
      '/cgi-bin/component/api_component_token',
      {
        component_appid: componentAppid,
        component_appsecret: appSecret,
        component_verify_ticket: ticket,
      },
      componentTokenAnswer,
    );
    return { token: new Secret(answer.component_access_token), expiresIn: answer.expires_in };
  }

  /**
   * Asks WeChat to push tickets again (api_start_push_ticket); answers its errmsg, `ok` when
   * pushing had stopped and `in a normal state` when it was running.
   * @throws {WechatApiError}
   */
  async startPushTicket(componentAppid: string, appSecret: Secret): Promise<string> {
    const answer = await this.post(
      '/cgi-bin/component/api_start_push_ticket',
      { component_appid: componentAppid, component_secret: appSecret },
      acknowledgement,
    );
    return answer.errmsg;
  }

  /**
   * A ticket for an account's pages (getticket), and its life in seconds.
   * @param type `jsapi` or `wx_card`.
   * @throws {WechatApiError}
   */
  async jsTicket(token: Secret, type: string): Promise<{ ticket: Secret; expiresIn: number }> {
    const query = { access_token: token, type: new Secret(type) };
    const path = '/cgi-bin/ticket/getticket';
    const answer = await this.ask('GET', path, {}, jsTicketAnswer, query);
    return { ticket: new Secret(answer.ticket), expiresIn: answer.expires_in };
  }

  /**
   * How many addresses WeChat's API has (get_api_domain_ip): the cheapest proof that it takes a
   * platform's token, and calls from this address.
   * @throws {WechatApiError}
   */
  async apiAddresses(componentToken: Secret): Promise<number> {
    const query = { component_access_token: componentToken };
    const path = '/cgi-bin/get_api_domain_ip';
    return (await this.ask('GET', path, {}, addressesAnswer, query)).ip_list.length;
  }

  /**
   * WeChat's clock by the `Date` of an answer, in Unix milliseconds, to the second; undefined where
   * it says none. Sends no credential, and any answer will do.
   * @throws {WechatApiError} for no answer in time.
   */
  async clock(): Promise<number | undefined> {
    const { headers } = await this.send('GET', '/', {}, {});
    const at = Date.parse(String(headers.date));
    return Number.isNaN(at) ? undefined : at;
  }

  /**
   * Posts JSON and checks the answer. Tokens go into the query, which no error or log repeats.
   * @throws {WechatApiError} for an errcode, for no answer in time, and for an unreadable one.
   */
  post<S extends z.ZodType>(
    path: string,
    body: WechatApiBody,
    schema: S,
    query: Record<string, Secret> = {},
  ): Promise<z.output<S>> {
    return this.ask('POST', path, body, schema, query);
  }

  private async ask<S extends z.ZodType>(
    method: 'GET' | 'POST',
    path: string,
    body: WechatApiBody,
    schema: S,
    query: Record<string, Secret>,
  ): Promise<z.output<S>> {
    const started = performance.now();
    let outcome = 'ok';
    try {
      const response = await this.send(method, path, body, query);
      this.time.witness(Date.parse(String(response.headers.date)));
      return readAnswer(path, response, schema, secretsOf({ ...body, ...query }));
    } catch (error) {
      outcome = error instanceof WechatApiError ? String(error.errcode ?? error.kind) : 'unknown';
      throw error;
    } finally {
      const seconds = (performance.now() - started) / 1000;
      emitTelemetry('wechat.call', { path, errcode: outcome, seconds });
    }
  }

  private async send(
    method: 'GET' | 'POST',
    path: string,
    body: WechatApiBody,
    query: Record<string, Secret>,
  ): Promise<AxiosResponse<string>> {
    const [text, params] = [JSON.stringify(revealed(body)), revealed(query)];
    try {
      return await firstValueFrom(
        this.http.request<string>({
          method,
          url: path,
          ...(method === 'POST' && { data: text }),
          params,
          // "timeout" alone does not end an answer that trickles.
          signal: AbortSignal.timeout(this.http.axiosRef.defaults.timeout ?? 5000),
        }),
      );
    } catch (error) {
      throw this.noAnswer(path, error as { code?: unknown; cause?: unknown });
    }
  }

  /** The error of axios holds the request with its secrets: only its code goes on. */
  private noAnswer(path: string, { code, cause }: { code?: unknown; cause?: unknown }): Error {
    if (cause instanceof ProxyError) {
      const message = remark('wechat_failed', { path, why: cause.message });
      return new WechatApiError(path, 'proxy', message, {});
    }
    const late = code === 'ERR_CANCELED' || code === 'ECONNABORTED';
    const why = String(code ?? 'ERR_NETWORK');
    const { httpsAgent: agent } = this.http.axiosRef.defaults as { httpsAgent?: unknown };
    if (!(agent instanceof ProxyAgent)) {
      const message = late
        ? remark('wechat_silent', { path })
        : remark('wechat_failed', { path, why });
      return new WechatApiError(path, 'network', message, {});
    }
    const by = { path, proxy: agent.proxyName };
    const message = late
      ? remark('wechat_silent_by', by)
      : remark('wechat_failed_by', { ...by, code: why });
    return new WechatApiError(path, 'network', message, {});
  }
}

function revealed(values: WechatApiBody): Record<string, string | number | object> {
  return Object.fromEntries(
    Object.entries(values).map(([k, v]) => [k, v instanceof Secret ? v.reveal() : v]),
  );
}

function secretsOf(body: WechatApiBody): Secret[] {
  return Object.values(body).filter((value) => value instanceof Secret);
}

function readAnswer<S extends z.ZodType>(
  path: string,
  response: AxiosResponse<string>,
  schema: S,
  secrets: Secret[],
): z.output<S> {
  const answer = parseAnswer(response.data, secrets);
  const errcode = readErrcode(answer?.errcode);
  if (answer && errcode) throw refusal(path, errcode, String(answer.errmsg ?? ''));
  if (response.status >= 400) {
    const kind = response.status >= 500 || response.status === 429 ? 'busy' : 'garbage';
    throw new WechatApiError(
      path,
      kind,
      remark('wechat_status', { path, status: response.status }),
      {},
    );
  }
  const parsed = schema.safeParse(answer);
  if (errcode === undefined || !parsed.success) {
    throw new WechatApiError(path, 'garbage', remark('wechat_unreadable', { path }), {});
  }
  return parsed.data;
}

/** 0 where there is none; undefined for what is no errcode. */
function readErrcode(value: unknown): number | undefined {
  if (typeof value === 'string' && /^-?\d{1,9}$/.test(value)) return Number(value);
  const errcode = value ?? 0;
  return Number.isInteger(errcode) ? (errcode as number) : undefined;
}

/**
 * The object in an answer; undefined where there is none. WeChat's text in it goes into answers and
 * logs, so nothing secret that the hub has sent comes back in it.
 */
function parseAnswer(text: unknown, secrets: Secret[]): Record<string, unknown> | undefined {
  try {
    const value = parseLenientJson(String(text), exactNumber);
    if (value === null || typeof value !== 'object') return undefined;
    const answer = value as Record<string, unknown>;
    return 'errmsg' in answer
      ? { ...answer, errmsg: maskedErrmsg(answer.errmsg, secrets) }
      : answer;
  } catch {
    return undefined;
  }
}

function refusal(path: string, errcode: number, errmsg: string): WechatApiError {
  const kind = kindOfErrcode(errcode);
  const rid = ridOf(errmsg);
  const clientIp = clientIpOf(errmsg);
  const facts = { path, errcode, errmsg };
  const message =
    clientIp && kind === 'ip'
      ? remark('wechat_refused_ip', { ...facts, address: clientIp })
      : remark('wechat_refused', facts);
  return new WechatApiError(path, kind, message, {
    errcode,
    errmsg,
    ...(rid && { rid }),
    ...(clientIp && { clientIp }),
  });
}
