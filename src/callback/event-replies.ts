import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { marks } from '../database/sql.js';
import { writeBatcher } from '../database/write-batcher.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import type { Outcome } from './push-url.js';

/** Least time between two statements, in milliseconds. */
const PERIOD_MS = 5;

/** The passive replies in `callback_event`: a repetition is answered with the same. */
@Injectable()
export class EventReplies {
  private readonly batcher = writeBatcher<StoredReply, void>(
    (items) => this.write(items),
    PERIOD_MS,
  );

  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  /** Resolves when the reply stands in the push's row. */
  store(id: string, text: string): Promise<void> {
    return this.batcher.add({ id, reply: this.box.seal(text, location(id)) });
  }

  /** The reply of a row, not encrypted for WeChat; undefined where there is none (yet). */
  async find(id: string): Promise<string | undefined> {
    const [row]: { outcome: Outcome; reply: string | null }[] = await this.database.read(
      (manager) => manager.query('SELECT outcome, reply FROM callback_event WHERE id = ?', [id]),
    );
    return row?.outcome === 'reply' && row.reply !== null ? this.open(id, row.reply) : undefined;
  }

  /** Decrypts what the row `id` has. */
  open(id: string, reply: string): string {
    return this.box.open(reply, location(id)).reveal();
  }

  private async write(items: StoredReply[]): Promise<void[]> {
    const cases = items.map(() => 'WHEN ? THEN ?').join(' ');
    const ids = items.map(({ id }) => id);
    await this.database.write((manager) =>
      manager.query(
        `UPDATE callback_event SET outcome = 'reply', reply = CASE id ${cases} END
         WHERE id IN (${marks(ids.length)})`,
        [...items.flatMap(({ id, reply }) => [id, reply]), ...ids],
      ),
    );
    return items.map(() => undefined);
  }
}

interface StoredReply {
  id: string;
  /** Encrypted. */
  reply: string;
}

function location(id: string): string {
  return secretLocation(encryptedColumns.callbackReply, id);
}
