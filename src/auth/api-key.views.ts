import { z } from 'zod';
import { APPID } from '../common/appid.js';
import { nameText } from '../config/variables.js';
import { pageQuery, timeQuery, timeView } from '../http/field-schemas.js';
import { isoTime } from '../common/times.js';
import type { ApiKey, ApiKeyValues } from './api-key.js';
import { SCOPES } from './scope.js';

/** Longest time for which a key and the one before it are both accepted, in seconds: 30 days. */
const MAX_OVERLAP_SECONDS = 2_592_000;

const appids = z.array(z.string().regex(APPID)).min(1).max(500).nullable();
const network = z
  .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])
  .refine((text) => !/\/0+$/.test(text), 'null is for all networks');

/** The fields that an administrator sets. */
const fields = {
  name: nameText(64),
  scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
  componentAppIds: appids.describe('Only routes that name one of these platforms; null for all'),
  authorizerAppIds: appids.describe('Only routes that name one of these accounts; null for all'),
  networks: z
    .array(network)
    .min(1)
    .max(100)
    .nullable()
    .describe('Addresses and CIDRs from which the key is accepted; null for all'),
  paths: z
    .array(
      z
        .string()
        .regex(/^(?:\/[\w-]+)+\/?$/)
        .max(256),
    )
    .min(1)
    .max(200)
    .nullable()
    .describe(
      'Paths of WeChat that it may call by the gateway; one with a slash at its end is all below it; null for all',
    ),
  requestsPerMinute: z
    .int()
    .min(1)
    .max(1_000_000)
    .nullable()
    .describe('Requests that each host accepts within a minute; null for any number'),
};

export const newApiKeyBody = z
  .strictObject({
    ...fields,
    componentAppIds: fields.componentAppIds.default(null),
    authorizerAppIds: fields.authorizerAppIds.default(null),
    networks: fields.networks.default(null),
    paths: fields.paths.default(null),
    requestsPerMinute: fields.requestsPerMinute.default(null),
    expiresAt: timeQuery.nullable().default(null),
  })
  .meta({ id: 'NewApiKey', example: { name: 'Orders', scopes: ['token:read', 'token:refresh'] } });

export const apiKeyChangeBody = z
  .strictObject({ ...fields, expiresAt: timeQuery.nullable() })
  .partial()
  .meta({ id: 'ApiKeyChange', example: { networks: ['10.0.0.0/8'] } });

export const rotateBody = z
  .strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(MAX_OVERLAP_SECONDS)
      .default(86_400)
      .describe('For so long the key so far is accepted, too'),
  })
  .default({ overlapSeconds: 86_400 })
  .meta({ id: 'ApiKeyRotation' });

export const apiKeyListQuery = z.object(pageQuery({ most: 200, usual: 50 }));

/** A key as `/admin/api-keys` shows it: without what would let anybody in. */
export const apiKeyView = z
  .object({
    id: z.string().describe('The part of the key by which it is looked up'),
    ...fields,
    expiresAt: timeView.nullable(),
    previousUntil: timeView
      .nullable()
      .describe('Until then the key before the rotation is accepted'),
    revokedAt: timeView.nullable(),
    lastUsedAt: timeView.nullable().describe('To the minute'),
    createdAt: timeView,
  })
  .meta({ id: 'ApiKey' });
export type ApiKeyView = z.infer<typeof apiKeyView>;
export const apiKeySecretView = apiKeyView
  .extend({
    key: z.string().describe('The bearer token, shown this once'),
  })
  .meta({ id: 'ApiKeyWithSecret' });
export const apiKeyListView = z
  .object({
    keys: z.array(apiKeyView),
    next: z.string().nullable().describe('Value of `before` for the next page'),
  })
  .meta({ id: 'ApiKeyPage' });

export const apiKeyExample: ApiKeyView = {
  id: '01a2035a4b1b9c1d1f2e',
  name: 'Orders',
  scopes: ['token:read', 'token:refresh'],
  componentAppIds: null,
  authorizerAppIds: ['wxfedcba9876543210'],
  networks: ['10.0.0.0/8'],
  paths: ['/cgi-bin/message/'],
  requestsPerMinute: 600,
  expiresAt: '2027-11-22T08:00:00.000Z',
  previousUntil: null,
  revokedAt: null,
  lastUsedAt: '2026-11-22T08:51:00.000Z',
  createdAt: '2026-11-22T08:00:00.000Z',
};
export const apiKeySecretExample = { ...apiKeyExample, key: 'hub_01a2035a4b1b9c1d1f2e_…' };

/** The values that a body means. */
export function toValues(body: z.output<typeof newApiKeyBody>): ApiKeyValues;
export function toValues(body: z.output<typeof apiKeyChangeBody>): Partial<ApiKeyValues>;
export function toValues({
  expiresAt,
  ...values
}: z.output<typeof apiKeyChangeBody>): Partial<ApiKeyValues> {
  if (expiresAt === undefined) return values;
  return { ...values, expiresAt: expiresAt === null ? null : Date.parse(expiresAt) };
}

export function toApiKeyView(key: ApiKey): ApiKeyView {
  const { id, name, scopes, componentAppIds, authorizerAppIds, networks, paths } = key;
  return {
    id,
    name,
    scopes,
    componentAppIds,
    authorizerAppIds,
    networks,
    paths,
    requestsPerMinute: key.requestsPerMinute,
    expiresAt: isoTime(key.expiresAt),
    previousUntil: isoTime(key.previousUntil),
    revokedAt: isoTime(key.revokedAt),
    lastUsedAt: isoTime(key.lastUsedAt),
    createdAt: isoTime(key.createdAt),
  };
}
