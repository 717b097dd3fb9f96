import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { lastOfFullPage, pageQuery, timeQuery } from '../http/field-schemas.js';
import { CALLER_KINDS } from '../http/caller.js';
import { Database } from '../database/database.js';
import { AuditRecord } from './audit-record.entity.js';

/** Records that an export reads at once. */
const EXPORT_PAGE = 500;

export const auditQuery = z.object({
  actor: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('An actor, or the name of one: an operator, a key, a person with the admin token'),
  actorKind: z.enum(CALLER_KINDS).optional(),
  outcome: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('`ok`, the code of an error, or `refused` for all that are not `ok`'),
  action: z.string().min(1).max(64).optional(),
  target: z.string().min(1).max(191).optional(),
  from: timeQuery.optional(),
  to: timeQuery.optional(),
  ...pageQuery({ most: 200, usual: 50 }),
});
export type AuditQuery = z.output<typeof auditQuery>;

/** Reads the audit trail. */
@Injectable()
export class AuditLog {
  constructor(private readonly database: Database) {}

  /** All of a filter, newest first, read page by page. */
  async *all(filter: Omit<AuditQuery, 'limit' | 'before'>): AsyncGenerator<AuditRecord> {
    for (let before: string | undefined; ;) {
      const records = await this.page({ ...filter, limit: EXPORT_PAGE, before });
      yield* records;
      before = lastOfFullPage(records, EXPORT_PAGE)?.id;
      if (before === undefined) return;
    }
  }

  /** A page, newest first. */
  page(query: AuditQuery): Promise<AuditRecord[]> {
    const { actor, actorKind, action, target, outcome, from, to, limit, before } = query;
    return this.database.read((manager) => {
      const select = manager
        .createQueryBuilder(AuditRecord, 'record')
        .orderBy('record.id', 'DESC')
        .limit(limit);
      if (actor) select.andWhere('(record.actor = :actor OR record.actorName = :actor)', { actor });
      if (actorKind) select.andWhere('record.actorKind = :actorKind', { actorKind });
      if (outcome === 'refused') select.andWhere("record.outcome <> 'ok'");
      else if (outcome) select.andWhere('record.outcome = :outcome', { outcome });
      if (action) select.andWhere('record.action = :action', { action });
      if (target) select.andWhere('record.target = :target', { target });
      if (from) select.andWhere('record.at >= :from', { from: Date.parse(from) });
      if (to) select.andWhere('record.at < :to', { to: Date.parse(to) });
      if (before) select.andWhere('record.id < :before', { before });
      return select.getMany();
    });
  }
}
