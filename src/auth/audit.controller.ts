import { Readable } from 'node:stream';
import { Controller, Get, Query, StreamableFile } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { ApiBearer, ApiJson } from '../http/api-docs.js';
import { CALLER_KINDS, type CallerKind } from '../http/caller.js';
import { AuditLog, auditQuery, type AuditQuery } from './audit.log.js';
import type { AuditRecord } from './audit-record.entity.js';
import { isoTime } from '../common/times.js';
import { lastOfFullPage, timeView } from '../http/field-schemas.js';
import { csvHead, csvLine } from '../http/csv.js';
import { Audited } from './audit.interceptor.js';
import { Scope } from './scope.js';

const recordView = z
  .object({
    id: z.string(),
    at: timeView,
    actor: z
      .string()
      .describe(
        '`admin`: the admin token; `operator:…`, `key:…`: an operator or API key, by its id; ' +
          '`unknown`: somebody who tried to sign in',
      ),
    actorKind: z.enum(CALLER_KINDS),
    actorName: z
      .string()
      .nullable()
      .describe(
        'Name of the operator or key, or what a person with the admin token calls themselves; null ' +
          'where there is none, and in records of earlier versions',
      ),
    action: z.string(),
    target: z.string(),
    outcome: z
      .string()
      .nullable()
      .describe('`ok`, or the code of the error; null in records of earlier versions'),
    count: z
      .int()
      .min(1)
      .describe('How often: more than 1 where refusals of a minute are counted together'),
    requestId: z.string().nullable(),
    sourceAddress: z.string().nullable(),
  })
  .meta({ id: 'AuditRecord' });
type RecordView = z.infer<typeof recordView>;
const listView = z
  .object({
    records: z.array(recordView),
    next: z.string().nullable().describe('Value of `before` for the next page'),
  })
  .meta({ id: 'AuditRecordPage' });
const example: RecordView = {
  id: '0199a3f0-7c1e-7a54-9c1d-1f2e3d4c5b6a',
  at: '2026-11-22T08:00:00.000Z',
  actor: 'operator:01a2035a4b1b9c1d1f2e',
  actorKind: 'operator',
  actorName: 'Li Wei',
  action: 'component.change',
  target: 'wx0123456789abcdef',
  outcome: 'ok',
  count: 1,
  requestId: '5f0c7f9e-7a54-4c1d-9f2e-3d4c5b6a0199',
  sourceAddress: '192.0.2.1',
};

const CSV_COLUMNS = [
  'id',
  'at',
  'actor',
  'action',
  'target',
  'outcome',
  'request_id',
  'source_address',
  'actor_kind',
  'actor_name',
  'count',
] as const;

/** `/admin/audit`: who did what, and how it ended. */
@ApiTags('audit')
@ApiBearer()
@Controller('admin/audit')
export class AuditController {
  constructor(private readonly log: AuditLog) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({
    operationId: 'listAuditRecords',
    summary: 'The audit trail, newest first',
    description:
      'Every act that is not a read, every export and every secret shown; sign-ins, and what known ' +
      'callers were refused. Filter by actor, action, target, outcome and time; page with ' +
      '`before`. Kept for AUDIT_RETENTION_DAYS.',
  })
  @ApiJson(listView, { records: [example], next: null })
  async list(@Query({ schema: auditQuery }) query: AuditQuery): Promise<z.infer<typeof listView>> {
    const records = await this.log.page(query);
    const last = lastOfFullPage(records, query.limit);
    return { records: records.map(toView), next: last?.id ?? null };
  }

  @Get('export')
  @Scope('admin')
  @Audited('audit.export', { shows: 'always' })
  @ApiOperation({
    operationId: 'exportAuditRecords',
    summary: 'The audit trail of a filter as CSV, newest first',
  })
  @ApiProduces('text/csv')
  @ApiResponse({
    status: 200,
    description: 'CSV',
    schema: { type: 'string', example: `${CSV_COLUMNS.join(',')}…` },
  })
  export(@Query({ schema: auditQuery }) query: AuditQuery): StreamableFile {
    const { limit: _limit, before: _before, ...filter } = query;
    return new StreamableFile(Readable.from(exportCsv(this.log.all(filter))), {
      type: 'text/csv; charset=utf-8',
      disposition: 'attachment; filename="audit.csv"',
    });
  }
}

async function* exportCsv(records: AsyncIterable<AuditRecord>): AsyncGenerator<string> {
  yield csvHead(CSV_COLUMNS);
  for await (const record of records) {
    const { id, at, actor, action, target, outcome, requestId, sourceAddress, ...more } =
      toView(record);
    const { actorKind, actorName, count } = more;
    const first = [id, at, actor, action, target, outcome, requestId, sourceAddress];
    yield csvLine([...first, actorKind, actorName, String(count)]);
  }
}

function toView({ at, actorKind, ...facts }: AuditRecord): RecordView {
  return { ...facts, at: isoTime(at), actorKind: actorKind as CallerKind };
}
