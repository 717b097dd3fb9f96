import { randomBytes } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { constantTimeEqual, sha256Hex } from '../common/secret.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { Setting } from './setting.entity.js';

const SETTING = 'admin_token_sha256';

/**
 * The bearer token of `/admin` and `/api`: the one of `ADMIN_TOKEN`, or one made at first start,
 * printed once and kept only as a hash.
 */
@Injectable()
export class AdminTokenService implements OnApplicationBootstrap {
  private hash = '';

  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly database: Database,
  ) {}

  /** Last before the hub listens: a start that fails must not use up the one showing. */
  async onApplicationBootstrap(): Promise<void> {
    this.hash = this.config.adminToken
      ? sha256Hex(this.config.adminToken.reveal())
      : await this.storedOrNewHash();
  }

  /** The hash under which the token is kept; another one where the token has changed. */
  get kept(): string {
    return this.hash;
  }

  /** Whether it is the token with this SHA-256, in constant time. */
  hasHash(hash: string): boolean {
    return constantTimeEqual(hash, this.hash);
  }

  private async storedOrNewHash(): Promise<string> {
    const stored = await this.stored();
    if (stored) return stored;
    const token = `hub_${randomBytes(32).toString('base64url')}`;
    const mine = sha256Hex(token);
    // Hosts that start together: one insert wins, and only the winner prints.
    await this.database.transaction((manager) =>
      manager
        .createQueryBuilder()
        .insert()
        .into(Setting)
        .values({ name: SETTING, value: mine })
        .orIgnore()
        .execute(),
    );
    const kept = await this.stored();
    if (kept === mine) printOnce(token);
    return kept ?? mine;
  }

  private async stored(): Promise<string | undefined> {
    const row = await this.database.read((manager) =>
      manager.findOneBy(Setting, { name: SETTING }),
    );
    return row?.value;
  }
}

/** To stderr, so that it is not part of the log on stdout. */
function printOnce(token: string): void {
  process.stderr.write(
    `\nADMIN_TOKEN is not set, so one was made. It is shown this once and kept only as a hash:\n\n  ${token}\n\n`,
  );
}
