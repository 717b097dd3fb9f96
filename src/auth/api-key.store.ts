import { Injectable } from '@nestjs/common';
import { LessThan, type EntityManager } from 'typeorm';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { Database } from '../database/database.js';
import { ApiKeyRow } from './api-key.entity.js';
import type { ApiKey, ApiKeyValues } from './api-key.js';
import { AuditService } from './audit.service.js';
import type { ScopeName } from './scope.js';

type RowChange = Partial<Omit<ApiKeyRow, 'id'>>;

/** Rows of `api_key`. Revoked ones stay: the audit trail names them. */
@Injectable()
export class ApiKeyStore {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly audit: AuditService,
  ) {}

  /** A page, newest first. */
  async page(limit: number, before?: string): Promise<ApiKey[]> {
    const rows = await this.database.read((manager) =>
      manager.find(ApiKeyRow, {
        where: before === undefined ? {} : { id: LessThan(before) },
        order: { id: 'DESC' },
        take: limit,
      }),
    );
    return rows.map(toApiKey);
  }

  async find(id: string): Promise<ApiKey | undefined> {
    const row = await this.database.read((manager) => manager.findOneBy(ApiKeyRow, { id }));
    return row ? toApiKey(row) : undefined;
  }

  async add(id: string, hash: string, values: ApiKeyValues): Promise<void> {
    const now = this.clock.now();
    await this.database.transaction(async (manager) => {
      const times = { createdAt: now, updatedAt: now };
      await manager.insert(ApiKeyRow, { ...columnsOf(values), id, hash, ...times });
      await this.audit.within(manager);
    });
  }

  /** @throws {HubError} 404 `api_key_unknown`; 409 `api_key_revoked` */
  change(id: string, values: Partial<ApiKeyValues>): Promise<void> {
    return this.update(id, () => columnsOf(values));
  }

  /**
   * @param previousUntil until then the key so far is accepted, too, in Unix milliseconds.
   * @throws {HubError} 404 `api_key_unknown`; 409 `api_key_revoked`
   */
  rotate(id: string, hash: string, previousUntil: number): Promise<void> {
    return this.update(id, (row) => ({ hash, previousHash: row.hash, previousUntil }));
  }

  /** @throws {HubError} 404 `api_key_unknown`; 409 `api_key_revoked` */
  revoke(id: string): Promise<void> {
    return this.update(id, () => ({ revokedAt: this.clock.now() }));
  }

  async noteUse(id: string, at: number): Promise<void> {
    await this.database.write((manager) => manager.update(ApiKeyRow, { id }, { lastUsedAt: at }));
  }

  private async update(id: string, decide: (row: ApiKeyRow) => RowChange): Promise<void> {
    await this.database.transaction(async (manager: EntityManager) => {
      const row = await manager.findOne(ApiKeyRow, { where: { id }, ...this.database.forUpdate });
      if (!row) throw apiKeyUnknown();
      if (row.revokedAt !== null) {
        throw new HubError('api_key_revoked', 'The API key has been revoked', { status: 409 });
      }
      const change = { ...decide(row), updatedAt: this.clock.now() };
      await manager.update(ApiKeyRow, { id }, change);
      await this.audit.within(manager);
    });
  }
}

export function apiKeyUnknown(): HubError {
  return new HubError('api_key_unknown', 'There is no such API key', { status: 404 });
}

function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    ...row,
    scopes: JSON.parse(row.scopes) as ScopeName[],
    componentAppIds: listOf(row.componentAppIds),
    authorizerAppIds: listOf(row.authorizerAppIds),
    networks: listOf(row.networks),
  };
}

function listOf(json: string | null): string[] | null {
  return json === null ? null : (JSON.parse(json) as string[]);
}

/** The columns of what is said; what is not said is not changed. */
function columnsOf(values: Partial<ApiKeyValues>): RowChange {
  const entries = Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, Array.isArray(value) ? JSON.stringify(value) : value]);
  return Object.fromEntries(entries) as RowChange;
}
