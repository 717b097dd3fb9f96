/** A column whose values are encrypted; its place is part of what is authenticated. */
export interface EncryptedColumn {
  table: string;
  column: string;
  /** Columns that make up the row's identity, in the order in which they enter the location. */
  identity: string[];
}

/** Every encrypted column of the schema: where features seal, and what `secrets:rotate` rewrites. */
export const encryptedColumns = {
  ticket: {
    table: 'tb_ComponentVerifyTicket',
    column: 'Cvt_ComponentVerifyTicket',
    identity: ['Cvt_AppId'],
  },
  componentAppSecret: { table: 'component', column: 'app_secret', identity: ['appid'] },
  componentPreviousAppSecret: {
    table: 'component',
    column: 'previous_app_secret',
    identity: ['appid'],
  },
  componentToken: { table: 'component', column: 'token', identity: ['appid'] },
  componentPreviousToken: { table: 'component', column: 'previous_token', identity: ['appid'] },
  componentEncodingAesKey: {
    table: 'component',
    column: 'encoding_aes_key',
    identity: ['appid'],
  },
  componentPreviousEncodingAesKey: {
    table: 'component',
    column: 'previous_encoding_aes_key',
    identity: ['appid'],
  },
  componentAppliedEnvironment: {
    table: 'component',
    column: 'applied_environment',
    identity: ['appid'],
  },
  componentAccessToken: {
    table: 'component_access_token',
    column: 'access_token',
    identity: ['component_appid'],
  },
  authorizerAccessToken: {
    table: 'authorizer',
    column: 'access_token',
    identity: ['component_appid', 'authorizer_appid'],
  },
  authorizerRefreshToken: {
    table: 'authorizer',
    column: 'refresh_token',
    identity: ['component_appid', 'authorizer_appid'],
  },
  jsTicket: {
    table: 'js_ticket',
    column: 'access_token',
    identity: ['component_appid', 'authorizer_appid', 'type'],
  },
  authorizationCode: { table: 'authorization_code', column: 'code', identity: ['code_hash'] },
  subscriptionSecret: { table: 'subscription', column: 'secret', identity: ['id'] },
  subscriptionPreviousSecret: {
    table: 'subscription',
    column: 'previous_secret',
    identity: ['id'],
  },
  subscriptionToken: { table: 'subscription', column: 'token', identity: ['id'] },
  subscriptionEncodingAesKey: {
    table: 'subscription',
    column: 'encoding_aes_key',
    identity: ['id'],
  },
  // Last: tables of pushes may be larger than the time of who goes through all columns.
  callbackPayload: { table: 'callback_event', column: 'payload', identity: ['id'] },
  callbackReply: { table: 'callback_event', column: 'reply', identity: ['id'] },
  deliveryAnswer: { table: 'delivery_attempt', column: 'answer', identity: ['id'] },
} as const satisfies Record<string, EncryptedColumn>;

/** The place of a value: authenticated with it, so that it decrypts nowhere else. */
export function secretLocation(column: EncryptedColumn, ...identity: string[]): string {
  return `${column.table}.${column.column}:${identity.join('/')}`;
}
