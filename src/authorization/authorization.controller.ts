import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import type { CodeSource } from '../authorizer/authorizer.js';
import { isoTime } from '../common/times.js';
import { ApiBearer, ApiJson } from '../http/api-docs.js';
import { lastOfFullPage, timeView } from '../http/field-schemas.js';
import type { AuthorizationCode } from './authorization-code.entity.js';
import { AuthorizationCodeStore } from './authorization-code.store.js';
import { remarkOf, toRemarkView } from '../http/remark-view.js';

const SOURCES = [
  'redirect',
  'release_check',
  'authorized',
  'updateauthorized',
  'notify_third_fasteregister',
] as const satisfies CodeSource[];

const authorizationView = z
  .object({
    id: z.string(),
    at: timeView.describe('When the code came'),
    componentAppId: z.string(),
    authorizerAppId: z.string().nullable().describe('Null until WeChat has said which account'),
    source: z
      .enum(SOURCES)
      .describe('What brought the code first: a browser, the release check, or an InfoType'),
    outcome: z.enum(['authorized', 'pending', 'failed']),
    error: z.string().nullable().describe('Why it failed, or why it is tried again'),
    errorRemark: remarkOf('error'),
  })
  .meta({ id: 'AuthorizationAttempt' });
const authorizationListView = z
  .object({
    authorizations: z.array(authorizationView),
    next: z.string().nullable().describe('Value of `before` for the next page'),
  })
  .meta({ id: 'AuthorizationAttemptPage' });
const authorizationListQuery = z.object({
  component: z.string().min(1).max(64).optional(),
  before: z
    .string()
    .regex(/^\d{1,15}-[0-9a-f]{64}$/)
    .optional()
    .describe('`next` of the page before'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
});

const OUTCOMES = { done: 'authorized', pending: 'pending', failed: 'failed' } as const;

/** `/admin/authorizations`: the authorizations that were tried, and how each ended. */
@ApiTags('authorizers')
@ApiBearer()
@Controller('admin/authorizations')
export class AuthorizationController {
  constructor(private readonly codes: AuthorizationCodeStore) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({
    summary: 'Authorizations of the last 7 days, newest first, with their outcome',
    description: 'One for each authorization code that came, by a browser or as an event.',
  })
  @ApiJson(authorizationListView, {
    authorizations: [
      {
        id: `1764230400000-${'0'.repeat(64)}`,
        at: '2026-11-22T08:00:00.000Z',
        componentAppId: 'wx0123456789abcdef',
        authorizerAppId: 'wxfedcba9876543210',
        source: 'redirect',
        outcome: 'authorized',
        error: null,
        errorRemark: null,
      },
    ],
    next: null,
  })
  async list(
    @Query({ schema: authorizationListQuery }) query: z.output<typeof authorizationListQuery>,
  ): Promise<z.infer<typeof authorizationListView>> {
    const { component, limit, before } = query;
    const [receivedAt, codeHash = ''] = before?.split('-') ?? [];
    const after =
      receivedAt === undefined ? undefined : { receivedAt: Number(receivedAt), codeHash };
    const rows = await this.codes.page({ component, after, limit });
    const last = lastOfFullPage(rows, limit);
    return { authorizations: rows.map(toView), next: last ? idOf(last) : null };
  }
}

function idOf({ receivedAt, codeHash }: AuthorizationCode): string {
  return `${receivedAt}-${codeHash}`;
}

function toView(row: AuthorizationCode): z.infer<typeof authorizationView> {
  return {
    id: idOf(row),
    at: isoTime(row.receivedAt),
    componentAppId: row.componentAppId,
    authorizerAppId: row.authorizerAppId,
    source: row.source,
    outcome: OUTCOMES[row.state],
    error: row.lastError,
    errorRemark: toRemarkView(row.lastError),
  };
}
