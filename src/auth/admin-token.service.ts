import { randomBytes } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { constantTimeEqual, sha256Hex } from '../common/secret.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { SettingStore } from './setting.store.js';

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
    private readonly settings: SettingStore,
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
    const stored = await this.settings.find(SETTING);
    if (stored) return stored;
    const token = `hub_${randomBytes(32).toString('base64url')}`;
    const mine = sha256Hex(token);
    // Hosts that start together: one insert wins, and only the winner prints.
    const kept = await this.settings.addIfMissing(SETTING, mine);
    if (kept === mine) printOnce(token);
    return kept;
  }
}

/** To stderr, so that it is not part of the log on stdout. */
function printOnce(token: string): void {
  process.stderr.write(
    `\nADMIN_TOKEN is not set, so one was made. It is shown this once and kept only as a hash:\n\n  ${token}\n\n`,
  );
}
