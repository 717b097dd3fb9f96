import { createHash } from 'node:crypto';
import { SimulatorError } from './wechat-error.js';

export type AccountKind = 'official_account' | 'mini_program';

/** What api_get_authorizer_info tells of an account; everything has a default. */
export interface AccountSettings {
  /** The original id, `gh_` and 12 hex digits. */
  userName?: string;
  nickName?: string;
  principalName?: string;
  alias?: string;
  headImg?: string;
  signature?: string;
  /** service_type_info.id; default 2 (service account), 0 for a mini program. */
  serviceType?: number;
  /** verify_type_info.id; default 0 (verified). */
  verifyType?: number;
  /** Ids of the permission sets that are granted when a consent names none. */
  funcInfo?: number[];
  /** account_status; default 1 (normal). */
  accountStatus?: number;
  /** `false`: api_query_auth answers without tokens. Default `true`. */
  apiRights?: boolean;
  /** Fields that are added to authorizer_info, as WeChat adds some from time to time. */
  extraInfo?: Record<string, unknown>;
}

/** One account as it is added. */
export interface AccountOptions extends AccountSettings {
  /** `wx` and 16 hex digits, usually. */
  appid: string;
  /** Default official_account. */
  kind?: AccountKind;
}

/** Many accounts at once, all with the same settings. */
export interface AccountBatch extends Omit<AccountSettings, 'userName'> {
  count: number;
  /** What the appids begin with, at most 12 characters; default `wxac`. */
  prefix?: string;
  /** Number of the first account; default 1. */
  from?: number;
  /** `mixed`: every second one is a mini program. Default official_account. */
  kind?: AccountKind | 'mixed';
}

/** Permission sets of official accounts: messages, users, account, web pages, material, menu. */
const OFFICIAL_ACCOUNT_SETS: readonly number[] = [1, 2, 3, 4, 11, 15];

/** Permission sets of mini programs: account, development, customer messages, open platform. */
const MINI_PROGRAM_SETS: readonly number[] = [17, 18, 19, 25];

const APPID_LENGTH = 18;
const OPTION_NAMES = ['location_report', 'voice_recognize', 'customer_service'] as const;

/** An option that an authorizer can be asked for and set. */
export type OptionName = (typeof OPTION_NAMES)[number];

/** The values of each option (get_authorizer_option page). */
export const OPTION_VALUES: Readonly<Record<OptionName, readonly string[]>> = {
  location_report: ['0', '1', '2'],
  voice_recognize: ['0', '1'],
  customer_service: ['0', '1'],
};

/** An official account or mini program. Defaults are computed, so that thousands stay small. */
export class FakeAccount {
  private options: Map<OptionName, string> | null = null;

  constructor(
    readonly appid: string,
    readonly kind: AccountKind,
    private readonly settings: Readonly<AccountSettings>,
  ) {}

  static from({ appid, kind = 'official_account', ...settings }: AccountOptions): FakeAccount {
    if (typeof appid !== 'string' || appid === '') {
      throw new SimulatorError('appid must be a non-empty string');
    }
    if (kind !== 'official_account' && kind !== 'mini_program') {
      throw new SimulatorError('kind must be official_account or mini_program');
    }
    checkFuncInfo(settings.funcInfo);
    return new FakeAccount(appid, kind, settings);
  }

  /** The accounts of a batch, numbered in hex digits so that the appids look like WeChat's. */
  static *batch(batch: AccountBatch): Generator<FakeAccount> {
    const { count, prefix = 'wxac', from = 1, kind = 'official_account', ...settings } = batch;
    if (!Number.isInteger(count) || count < 1) throw new SimulatorError('count must be from 1');
    if (prefix.length > 12) throw new SimulatorError('prefix must have at most 12 characters');
    checkFuncInfo(settings.funcInfo);
    for (let number = from; number < from + count; number += 1) {
      const appid = prefix + number.toString(16).padStart(APPID_LENGTH - prefix.length, '0');
      const mixed = number % 2 === 0 ? 'mini_program' : 'official_account';
      yield new FakeAccount(appid, kind === 'mixed' ? mixed : kind, settings);
    }
  }

  get nickName(): string {
    return this.settings.nickName ?? `Account ${this.appid.slice(-6)}`;
  }

  get apiRights(): boolean {
    return this.settings.apiRights ?? true;
  }

  /** The permission sets that are granted when a consent names none. */
  get funcInfo(): readonly number[] {
    const usual = this.kind === 'mini_program' ? MINI_PROGRAM_SETS : OFFICIAL_ACCOUNT_SETS;
    return this.settings.funcInfo ?? usual;
  }

  option(name: OptionName): string {
    return this.options?.get(name) ?? '0';
  }

  setOption(name: OptionName, value: string): void {
    this.options ??= new Map();
    this.options.set(name, value);
  }

  /** authorizer_info of api_get_authorizer_info; MiniProgramInfo only for a mini program. */
  authorizerInfo(): Record<string, unknown> {
    const { settings, kind } = this;
    const mini = kind === 'mini_program';
    const hash = createHash('sha1').update(this.appid).digest('hex');
    return {
      nick_name: this.nickName,
      head_img: settings.headImg ?? `http://wx.qlogo.invalid/${this.appid}/0`,
      service_type_info: { id: settings.serviceType ?? (mini ? 0 : 2) },
      verify_type_info: { id: settings.verifyType ?? 0 },
      user_name: settings.userName ?? `gh_${hash.slice(0, 12)}`,
      alias: settings.alias ?? '',
      qrcode_url: `http://mmbiz.qpic.invalid/${this.appid}/0`,
      business_info: { open_pay: 0, open_shake: 0, open_scan: 0, open_card: 0, open_store: 0 },
      principal_name: settings.principalName ?? `Principal of ${this.appid}`,
      signature: settings.signature ?? '',
      ...(mini && { MiniProgramInfo: miniProgramInfo() }),
      register_type: 0,
      account_status: settings.accountStatus ?? 1,
      basic_config: { is_phone_configured: true, is_email_configured: true },
      ...settings.extraInfo,
    };
  }
}

function miniProgramInfo(): object {
  return {
    network: {
      RequestDomain: ['https://mini.example.com'],
      WsRequestDomain: [],
      UploadDomain: [],
      DownloadDomain: [],
    },
    categories: [{ first: 'Tools', second: 'Information' }],
    visit_status: 0,
  };
}

/** Refuses what is no list of permission set ids. */
export function checkFuncInfo(ids: unknown): void {
  if (ids === undefined) return;
  const right = Array.isArray(ids) && ids.every((id) => Number.isInteger(id) && id > 0);
  if (!right) throw new SimulatorError('funcInfo must be a list of permission set ids');
}
