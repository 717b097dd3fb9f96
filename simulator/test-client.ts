import { SIMULATOR_COMPONENT } from './defaults.js';
import type { ComponentSettings } from './fake-component.js';
import type { WechatSimulator } from './wechat-simulator.js';

/** An answer of the API: the fields of all the calls that specs make. */
export interface ApiAnswer {
  errcode?: number;
  errmsg?: string;
  component_access_token?: string;
  pre_auth_code: string;
  expires_in: number;
  authorization_info: AuthorizationInfo;
  authorizer_info: Record<string, unknown>;
  authorizer_access_token: string;
  authorizer_refresh_token: string;
  total_count: number;
  list: { authorizer_appid: string; refresh_token: string; auth_time: number }[];
  option_value: string;
  ip_list?: string[];
}

/** authorization_info of api_query_auth and api_get_authorizer_info. */
export interface AuthorizationInfo {
  authorizer_appid: string;
  authorizer_access_token: string;
  authorizer_refresh_token: string;
  expires_in: number;
  func_info: { funcscope_category: { id: number } }[];
}

/** Calls a simulator by HTTP as a hub would; for the simulator's own specs. */
export class TestClient {
  private token = '';

  constructor(
    readonly simulator: WechatSimulator,
    readonly component: ComponentSettings = SIMULATOR_COMPONENT,
  ) {}

  /** Fetches a component token, which later calls carry. */
  async login(): Promise<string> {
    const { appid, appsecret } = this.component;
    const answer = await this.post('/cgi-bin/component/api_component_token', {
      component_appid: appid,
      component_appsecret: appsecret,
      component_verify_ticket: this.simulator.buildTicketPush(appid).ticket,
    });
    this.token = answer.component_access_token ?? '';
    return this.token;
  }

  /** `POST /cgi-bin/component/<name>` with the component's token and appid. */
  call(name: string, body: object = {}, token = this.token): Promise<ApiAnswer> {
    const query = new URLSearchParams({ component_access_token: token });
    const whole = { component_appid: this.component.appid, ...body };
    return this.post(`/cgi-bin/component/${name}?${query}`, whole);
  }

  /** A call that proves an authorizer token. */
  sendMessage(token: string, body: object = textMessage()): Promise<ApiAnswer> {
    const query = new URLSearchParams({ access_token: token });
    return this.post(`/cgi-bin/message/custom/send?${query}`, body);
  }

  async post(path: string, body: object): Promise<ApiAnswer> {
    const init = { method: 'POST', body: JSON.stringify(body) };
    return (await (await fetch(this.simulator.url + path, init)).json()) as ApiAnswer;
  }

  async control(method: string, path: string, body?: object): Promise<unknown> {
    const init = { method, ...(body && { body: JSON.stringify(body) }) };
    return (await fetch(`${this.simulator.url}/__sim${path}`, init)).json();
  }

  /** Authorizes without an event and exchanges the code; answers authorization_info. */
  async connect(account: string): Promise<AuthorizationInfo> {
    const { appid } = this.component;
    const { code } = await this.simulator.accounts.authorize(appid, account, { push: false });
    const answer = await this.call('api_query_auth', { authorization_code: code });
    return answer.authorization_info;
  }
}

/** A right body of a customer message. */
export function textMessage(touser = 'oABCD1234567890abcdefghijklm'): object {
  return { touser, msgtype: 'text', text: { content: '你好' } };
}
