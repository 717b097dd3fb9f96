import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditService } from '../auth/audit.service.js';
import { SettingStore } from '../auth/setting.store.js';
import { Clock } from '../common/clock.js';
import { MINUTE_MS } from '../common/times.js';
import { Database } from '../database/database.js';
import { COPY_SETTING, parseMark } from './copy-mark.js';

/** A copy may hold millions of rows, and nothing else goes on meanwhile; milliseconds. */
const LIMIT_MS = 10 * MINUTE_MS;

/** Why deliveries of a copy were cancelled; people search for it. */
export const HELD = 'Held: the database is a restored copy. Replay it if it was not delivered';

/**
 * Statements that take from a copy what has gone on without it, by what the log calls them. Each
 * with its parameters.
 */
function steps(now: number): [what: string, sql: string, ...parameters: (string | number)[]][] {
  const noToken =
    'access_token = NULL, expires_in = NULL, obtained_at = NULL, expires_at = NULL, ' +
    'invalidated_at = NULL, lease_owner = NULL, lease_until = NULL, generation = generation + 1';
  return [
    [
      'deliveriesHeld',
      `UPDATE delivery SET status = 'cancelled', next_attempt_at = NULL, lease_owner = NULL,
       last_error = ?, finished_at = ? WHERE status = 'pending'`,
      HELD,
      now,
    ],
    // The tokens of the copy were replaced since, and no longer work.
    ['platformTokens', `UPDATE component_access_token SET ${noToken}, refresh_at = NULL`],
    ['jsTickets', `UPDATE js_ticket SET ${noToken}, refresh_at = NULL`],
    [
      'accountTokens',
      `UPDATE authorizer SET ${noToken}, refresh_at = CASE
         WHEN status = 'active' AND refresh_token IS NOT NULL THEN ? ELSE NULL END
       WHERE access_token IS NOT NULL`,
      now,
    ],
    // Whoever lacks one for today gets one at once: it repairs refresh tokens.
    ['resyncs', 'DELETE FROM authorizer_resync'],
    ['sessionsEnded', 'DELETE FROM admin_session'],
    ['authorizationLinksEnded', 'DELETE FROM authorization_request'],
  ];
}

/**
 * Makes a copy of a database fit for going on with, once, before the hub listens and before its
 * timers run (ADR 10): nothing that was done since the copy was made is done again.
 */
@Injectable()
export class RestoredService implements OnModuleInit {
  private readonly logger = new Logger(RestoredService.name);

  constructor(
    private readonly database: Database,
    private readonly settings: SettingStore,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  async onModuleInit(): Promise<void> {
    if ((await this.settings.find(COPY_SETTING)) === undefined) return;
    const settled = await this.database.transaction((manager) => this.settle(manager), LIMIT_MS);
    if (!settled) return;
    const message =
      'This database is a restored copy: what it had pending is held, its tokens and sessions have ' +
      'ended, and its accounts are compared with those that WeChat lists';
    this.logger.warn(message, settled);
  }

  /** @returns how many rows each step concerned; undefined where another host was faster. */
  private async settle(manager: EntityManager): Promise<object | undefined> {
    const text = await this.settings.take(COPY_SETTING, manager);
    if (text === undefined) return undefined;
    const madeAt = parseMark(text)?.madeAt ?? 'unknown';
    const counts: Record<string, number> = {};
    for (const [what, sql, ...parameters] of steps(this.clock.now())) {
      const result = await manager.queryRunner?.query(sql, parameters, true);
      counts[what] = result?.affected ?? 0;
    }
    await this.audit.ofHub({ action: 'database.restore', target: madeAt }, manager);
    return { madeAt, ...counts };
  }
}
