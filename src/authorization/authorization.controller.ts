import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import type { CodeSource } from '../authorizer/authorizer.js';
import { isoTime } from '../common/times.js';
import { ApiBearer, ApiJson } from '../http/api-docs.js';
import { pageQuery, timeView } from '../http/list-query.js';
import { AuthorizationLog, type ListedAuthorization } from './authorization.log.js';

const SOURCES = [
  'link',
  'redirect',
  'release_check',
  'authorized',
  'updateauthorized',
  'notify_third_fasteregister',
] as const satisfies ('link' | CodeSource)[];

const authorizationView = z
  .object({
    at: timeView.describe('When the code came; without one, when the link was given out'),
    componentAppId: z.string(),
    authorizerAppId: z.string().nullable().describe('Null while it is not known'),
    source: z
      .enum(SOURCES)
      .describe('A link of the hub, a redirect without one, or the event that brought the code'),
    outcome: z
      .enum(['open', 'cancelled', 'pending', 'authorized', 'failed'])
      .describe(
        'open: nobody has come back from the link; cancelled: somebody has, without a code; ' +
          'pending: the code is to be exchanged',
      ),
    error: z.string().nullable().describe('Why the exchange of the code failed last'),
  })
  .meta({ id: 'Authorization' });
type AuthorizationView = z.infer<typeof authorizationView>;

const listView = z
  .object({
    authorizations: z.array(authorizationView),
    next: z
      .string()
      .nullable()
      .describe('Value of `before` for the next page; a page may be short while there is one'),
  })
  .meta({ id: 'AuthorizationPage' });
const listQuery = z.object({
  component: z.string().min(1).max(64).optional(),
  ...pageQuery({ most: 200, usual: 50 }),
  before: z
    .string()
    .regex(/^\d{1,15}\.[0-9a-f-]{36,64}$/)
    .optional()
    .describe('`next` of the page before'),
});

const example: AuthorizationView = {
  at: '2026-11-22T08:00:00.000Z',
  componentAppId: 'wx0123456789abcdef',
  authorizerAppId: 'wxfedcba9876543210',
  source: 'link',
  outcome: 'authorized',
  error: null,
};

/** `/admin/authorizations`: the links that were given out and the codes that came. */
@ApiTags('authorizers')
@ApiBearer()
@Controller('admin/authorizations')
export class AuthorizationController {
  constructor(private readonly log: AuthorizationLog) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({
    operationId: 'listAuthorizations',
    summary: 'Authorizations and what came of them, newest first',
    description:
      'Codes that came, by a link or without one (a week), and links from which none has come back ' +
      '(two days); never the codes themselves. Page with `before` until `next` is null.',
  })
  @ApiJson(listView, { authorizations: [example], next: null })
  async list(
    @Query({ schema: listQuery }) query: z.output<typeof listQuery>,
  ): Promise<z.infer<typeof listView>> {
    const { rows, next } = await this.log.page(query);
    return { authorizations: rows.map(toView), next };
  }
}

function toView(row: ListedAuthorization): AuthorizationView {
  const { componentAppId } = row;
  if ('createdAt' in row) {
    const outcome = row.returnedAt === null ? 'open' : 'cancelled';
    const at = isoTime(row.createdAt);
    return { at, componentAppId, authorizerAppId: null, source: 'link', outcome, error: null };
  }
  const { authorizerAppId, requestId, source, state, receivedAt, lastError } = row;
  return {
    at: isoTime(receivedAt),
    componentAppId,
    authorizerAppId,
    source: requestId ? 'link' : source,
    outcome: state === 'done' ? 'authorized' : state,
    error: lastError,
  };
}
