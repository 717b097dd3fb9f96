import { randomBytes, randomInt } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { PUSH_BUDGET } from '../callback/push-budget.js';
import {
  RELEASE_CHECK_ACCOUNTS,
  type ReleaseCheckAccount,
} from '../callback/release-check-accounts.js';
import { within } from '../common/time-limit.js';
import type { Component } from '../component/component.js';
import { ComponentService } from '../component/component.service.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { TicketService } from '../ticket/ticket.service.js';
import { CHECK_CODE_PREFIX, CHECK_TEXT, SELF_CHECK_CODE_PREFIX } from './release-check.js';
import { ReleaseCheckService } from './release-check.service.js';
import type {
  CustomerMessage,
  ReleaseCase,
  ReleaseCheckBody,
  ReleaseCheck,
} from './release-check.views.js';
import { AskError, type Asked } from '../common/ask.js';
import { SelfPush, ticketPush } from './self-push.js';
import { remark } from '../common/remarks.js';

/** How long the customer message that follows a code is waited for, in milliseconds. */
const CUSTOMER_MESSAGE_LIMIT_MS = 6000;
/** A user that nobody is. */
const NOBODY = 'oSelfCheckOfTheHub0000000000';
const EVENT = 'LOCATION';
const EMPTY = remark('check_empty');
/** Longest part of a reply that is shown. */
const SHOWN = 100;

type CaseName = ReleaseCase['name'];
type Fields = Record<string, string | number>;

/** One push of the check. */
interface CasePush {
  name: CaseName;
  expected: string;
  path: string;
  outer: Record<string, string>;
  fields: Fields;
}

/** Plays WeChat's release check (全网发布检测) against this installation, from outside. */
@Injectable()
export class ReleaseSelfCheck {
  constructor(
    private readonly components: ComponentService,
    private readonly tickets: TicketService,
    private readonly pushes: SelfPush,
    private readonly fromApi: ReleaseCheckService,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /** @throws {ComponentUnknownError | ComponentDisabledError} */
  async run(
    componentAppId: string,
    { authCodes, openid = NOBODY }: ReleaseCheckBody,
  ): Promise<ReleaseCheck> {
    const component = await this.components.getEnabled(componentAppId);
    const official = anyOf('official_account');
    const program = anyOf('mini_program');
    const text = { MsgType: 'text', Content: CHECK_TEXT };
    const event = { MsgType: 'event', Event: EVENT, Latitude: '23.13', Longitude: '113.35' };
    const message = (name: CaseName, fields: Fields, expected: string): Promise<ReleaseCase> =>
      this.play(component, this.toAccount(official, openid, name, fields, expected));
    const cases = await Promise.all([
      this.ticketCase(component),
      message(
        'official_account_text',
        text,
        remark('check_reply', { text: `${CHECK_TEXT}_callback` }),
      ),
      message(
        'official_account_event',
        event,
        remark('check_reply', { text: `${EVENT}from_callback` }),
      ),
      this.codeCase(component, official, openid, authCodes.officialAccount),
      this.codeCase(component, program, openid, authCodes.miniProgram),
    ]);
    const ok = cases.every((one) => one.ok !== false && one.customerMessage?.ok !== false);
    return { componentAppId, publicUrl: this.config.publicUrl, ok, cases };
  }

  private async ticketCase(component: Component): Promise<ReleaseCase> {
    const ticket = await this.tickets.latest(component.appid);
    const facts = { name: 'ticket' as const, expected: 'success' };
    if (!ticket) {
      return { ...facts, ok: null, got: remark('check_no_ticket'), milliseconds: 0 };
    }
    return this.play(component, {
      ...facts,
      path: 'events',
      ...ticketPush(component, ticket),
    });
  }

  /** With a code of WeChat's the customer message is looked for, too; without one, one that is none. */
  private async codeCase(
    component: Component,
    account: ReleaseCheckAccount,
    openid: string,
    authCode?: string,
  ): Promise<ReleaseCase> {
    const code = authCode ?? SELF_CHECK_CODE_PREFIX + randomBytes(16).toString('hex');
    const name = account.type === 'mini_program' ? 'mini_program_code' : 'official_account_code';
    const text = { MsgType: 'text', Content: CHECK_CODE_PREFIX + code };
    const played = await this.play(component, this.toAccount(account, openid, name, text, EMPTY));
    const customerMessage =
      authCode === undefined
        ? { ok: null, got: remark('check_no_code') }
        : await this.customerMessage(component, authCode);
    return { ...played, customerMessage };
  }

  private async customerMessage(component: Component, code: string): Promise<CustomerMessage> {
    const outcome = this.fromApi.outcomeOf(component.appid, code);
    if (!outcome) {
      return { ok: null, got: remark('check_other_host') };
    }
    const late = { ok: false, error: remark('check_not_sent', { ms: CUSTOMER_MESSAGE_LIMIT_MS }) };
    const { ok, error } = await within(CUSTOMER_MESSAGE_LIMIT_MS, outcome, () => late);
    return { ok, got: error ?? remark('check_sent') };
  }

  private toAccount(
    account: ReleaseCheckAccount,
    openid: string,
    name: CaseName,
    content: Fields,
    expected: string,
  ): CasePush {
    const names = { ToUserName: account.userName, FromUserName: openid };
    const { MsgType, ...rest } = content;
    const fields = { ...names, CreateTime: this.pushes.seconds(), MsgType: MsgType ?? '', ...rest };
    const outer = { ToUserName: account.userName };
    const path = `messages/${account.appid}`;
    // Each is a message of its own, however often the check is played.
    return { name, expected, path, outer, fields: { ...fields, MsgId: randomInt(1e13, 1e14) } };
  }

  private async play(component: Component, one: CasePush): Promise<ReleaseCase> {
    const { name, expected, path, outer, fields } = one;
    try {
      const answer = await this.pushes.send(component, path, outer, fields);
      const { milliseconds } = answer;
      const got = this.describe(component, one, answer);
      const inTime = milliseconds < PUSH_BUDGET.wechatWaits;
      return { name, ok: got === expected && inTime, expected, got, milliseconds };
    } catch (error) {
      if (!(error instanceof AskError)) throw error;
      const { message, milliseconds } = error;
      return { name, ok: false, expected, got: message, milliseconds };
    }
  }

  /** What WeChat would make of an answer. */
  private describe(component: Component, one: CasePush, answer: Asked): string {
    const { status, body } = answer;
    if (status !== 200) return `HTTP ${status}${codeOf(body)}`;
    if (body === '') return EMPTY;
    if (body === 'success') return 'success';
    try {
      const reply = this.pushes.open(component, body);
      const swapped =
        reply.ToUserName === one.fields.FromUserName &&
        reply.FromUserName === one.fields.ToUserName;
      if (reply.MsgType !== 'text' || !swapped) return remark('check_wrong_reply');
      return remark('check_reply', { text: String(reply.Content).slice(0, SHOWN) });
    } catch (error) {
      return remark('check_unreadable', { reason: (error as Error).message });
    }
  }
}

function anyOf(type: ReleaseCheckAccount['type']): ReleaseCheckAccount {
  const accounts = RELEASE_CHECK_ACCOUNTS.filter((account) => account.type === type);
  return accounts[randomInt(accounts.length)] as ReleaseCheckAccount;
}

/** The code of an error of the hub's own. */
function codeOf(body: string): string {
  const code = /"code":"(\w{1,64})"/.exec(body)?.[1];
  return code === undefined ? '' : ` ${code}`;
}
