import { Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Secret } from '../common/secret.js';
import { SecretUnreadableError, type SecretBox } from '../secrets/secret-box.js';

/** Places of which it is remembered that they were told. */
const REMEMBERED = 10_000;

/**
 * Opens stored tokens. One that can't be read (damaged, or its master key is gone) counts as none,
 * so that another is got and its row alone is concerned; it is told once for each place.
 */
export class ReadableSecrets {
  private readonly logger = new Logger(ReadableSecrets.name);
  private readonly told = new LRUCache<string, true>({ max: REMEMBERED });

  constructor(private readonly box: SecretBox) {}

  open(stored: string, location: string): Secret | undefined {
    try {
      return this.box.open(stored, location);
    } catch (error) {
      if (!(error instanceof SecretUnreadableError)) throw error;
      if (!this.told.has(location)) this.logger.error(error.message, { code: error.code });
      this.told.set(location, true);
      return undefined;
    }
  }
}
