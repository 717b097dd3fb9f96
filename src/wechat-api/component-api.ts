import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Secret } from '../common/secret.js';
import { WechatApiClient, type WechatApiBody } from './wechat-api.client.js';

/** A field of a wrong type counts as missing: an answer that used up a code must not be lost for it. */
const optionalText = z
  .string()
  .optional()
  .catch(undefined)
  .transform((text) => text || undefined);
const permissionSet = z.object({
  funcscope_category: z.object({ id: z.coerce.number().int() }),
});
const funcInfo = listOf(permissionSet).transform((sets) =>
  sets.map((set) => set.funcscope_category.id),
);
const seconds = z.coerce.number().int().positive();

const preAuthCodeAnswer = z.object({ pre_auth_code: z.string().min(1), expires_in: seconds });

const authorizationInfo = z.object({
  authorizer_appid: optionalText,
  /** Name of the field in older answers. */
  authorization_appid: optionalText,
  authorizer_access_token: optionalText,
  expires_in: seconds.optional().catch(undefined),
  authorizer_refresh_token: optionalText,
  func_info: funcInfo,
});
const queryAuthAnswer = z.object({ authorization_info: authorizationInfo });
const authorizerTokenAnswer = z.object({
  authorizer_access_token: z.string().min(1),
  expires_in: seconds,
  authorizer_refresh_token: optionalText,
});
const authorizerInfoAnswer = z.object({
  authorizer_info: z.looseObject({}),
  authorization_info: authorizationInfo,
});
const authorizerListAnswer = z.object({
  total_count: z.coerce.number().int().nonnegative(),
  list: z.array(z.unknown()).default([]),
});
const listedAuthorizers = listOf(
  z.object({
    authorizer_appid: z.string().min(1),
    refresh_token: optionalText,
    auth_time: z.coerce.number().int().optional().catch(undefined),
  }),
);
const optionAnswer = z.object({ option_name: z.string(), option_value: z.coerce.string() });
const acknowledgement = z.object({});

/** What an authorization grants. Tokens are absent where the account has no API rights. */
export interface Authorization {
  authorizerAppId: string | undefined;
  accessToken: Secret | undefined;
  /** Life of the access token in seconds. */
  expiresIn: number | undefined;
  refreshToken: Secret | undefined;
  /** Ids of the granted permission sets. */
  funcInfo: number[];
}

/** One line of api_get_authorizer_list. */
export interface ListedAuthorizer {
  authorizerAppId: string;
  refreshToken: Secret | undefined;
  /** Unix seconds. */
  authTime: number | undefined;
}

/** Calls of `/cgi-bin/component/…` that need a component_access_token. */
@Injectable()
export class ComponentApi {
  constructor(private readonly client: WechatApiClient) {}

  /** A code for one authorization page; `expiresIn` in seconds. @throws {WechatApiError} */
  async createPreAuthCode(
    appid: string,
    token: Secret,
  ): Promise<{ preAuthCode: string; expiresIn: number }> {
    const body = { component_appid: appid };
    const answer = await this.call('api_create_preauthcode', token, body, preAuthCodeAnswer);
    return { preAuthCode: answer.pre_auth_code, expiresIn: answer.expires_in };
  }

  /** Exchanges an authorization code; WeChat takes it once. @throws {WechatApiError} */
  async queryAuth(appid: string, token: Secret, code: Secret): Promise<Authorization> {
    const body = { component_appid: appid, authorization_code: code };
    const answer = await this.call('api_query_auth', token, body, queryAuthAnswer);
    return toAuthorization(answer.authorization_info);
  }

  /** A fresh authorizer_access_token. @throws {WechatApiError} */
  async authorizerToken(
    appid: string,
    token: Secret,
    authorizerAppId: string,
    refreshToken: Secret,
  ): Promise<{ token: Secret; expiresIn: number; refreshToken: Secret | undefined }> {
    const answer = await this.call(
      'api_authorizer_token',
      token,
      {
        component_appid: appid,
        authorizer_appid: authorizerAppId,
        authorizer_refresh_token: refreshToken,
      },
      authorizerTokenAnswer,
    );
    return {
      token: new Secret(answer.authorizer_access_token),
      expiresIn: answer.expires_in,
      refreshToken: secretOrNone(answer.authorizer_refresh_token),
    };
  }

  /** The account's information and what it grants. @throws {WechatApiError} */
  async authorizerInfo(
    appid: string,
    token: Secret,
    authorizerAppId: string,
  ): Promise<{ info: Record<string, unknown>; authorization: Authorization }> {
    const body = { component_appid: appid, authorizer_appid: authorizerAppId };
    const answer = await this.call('api_get_authorizer_info', token, body, authorizerInfoAnswer);
    return {
      info: answer.authorizer_info,
      authorization: toAuthorization(answer.authorization_info),
    };
  }

  /**
   * A page of the accounts; `count` is 500 at the most. `received` counts the lines that cannot be
   * read as well: the next page begins after them.
   * @throws {WechatApiError}
   */
  async authorizerList(
    appid: string,
    token: Secret,
    page: { offset: number; count: number },
  ): Promise<{ total: number; received: number; list: ListedAuthorizer[] }> {
    const body = { component_appid: appid, ...page };
    const answer = await this.call('api_get_authorizer_list', token, body, authorizerListAnswer);
    const list = listedAuthorizers.parse(answer.list).map((entry) => ({
      authorizerAppId: entry.authorizer_appid,
      refreshToken: secretOrNone(entry.refresh_token),
      authTime: entry.auth_time,
    }));
    return { total: answer.total_count, received: answer.list.length, list };
  }

  /** Value of an option of the account. @throws {WechatApiError} */
  async getOption(
    appid: string,
    token: Secret,
    authorizerAppId: string,
    name: string,
  ): Promise<string> {
    const body = { component_appid: appid, authorizer_appid: authorizerAppId, option_name: name };
    return (await this.call('api_get_authorizer_option', token, body, optionAnswer)).option_value;
  }

  /** Sets an option of the account. @throws {WechatApiError} */
  async setOption(
    appid: string,
    token: Secret,
    authorizerAppId: string,
    option: { name: string; value: string },
  ): Promise<void> {
    const body = {
      component_appid: appid,
      authorizer_appid: authorizerAppId,
      option_name: option.name,
      option_value: option.value,
    };
    await this.call('api_set_authorizer_option', token, body, acknowledgement);
  }

  private call<S extends z.ZodType>(
    name: string,
    token: Secret,
    body: WechatApiBody,
    schema: S,
  ): Promise<z.output<S>> {
    return this.client.post(`/cgi-bin/component/${name}`, body, schema, {
      component_access_token: token,
    });
  }
}

/** The entries of a list that can be read; none where it is no list. */
function listOf<S extends z.ZodType>(entry: S) {
  return z
    .array(z.unknown())
    .catch([])
    .transform((entries) =>
      entries.flatMap((one) => {
        const parsed = entry.safeParse(one);
        return parsed.success ? [parsed.data] : [];
      }),
    );
}

function toAuthorization(info: z.output<typeof authorizationInfo>): Authorization {
  return {
    authorizerAppId: info.authorizer_appid ?? info.authorization_appid,
    accessToken: secretOrNone(info.authorizer_access_token),
    expiresIn: info.expires_in,
    refreshToken: secretOrNone(info.authorizer_refresh_token),
    funcInfo: info.func_info,
  };
}

function secretOrNone(value: string | undefined): Secret | undefined {
  return value === undefined ? undefined : new Secret(value);
}
