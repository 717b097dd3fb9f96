import { Injectable, Logger } from '@nestjs/common';
import type { ArrivedPush } from '../callback/arrived-push.js';
import type { CallbackEvent } from '../callback/callback-event.entity.js';
import { HubError } from '../common/hub-error.js';
import { withoutCodes } from '../delivery/push-body.js';
import { StoredPushReader } from '../delivery/stored-push.reader.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import type { EventDetailView } from './event-log.views.js';

/** What of a push is encrypted at rest. */
export type EventContent = Pick<
  EventDetailView,
  'format' | 'fields' | 'raw' | 'reply' | 'unreadable'
>;

/** Opens recorded pushes for people: without the secrets that authorization events bring. */
@Injectable()
export class EventLogContents {
  private readonly logger = new Logger(EventLogContents.name);

  constructor(
    private readonly pushes: StoredPushReader,
    private readonly box: SecretBox,
  ) {}

  /** What can't be read is null, and `unreadable` says why. */
  async of(row: CallbackEvent): Promise<EventContent> {
    const content: EventContent = {
      format: null,
      fields: null,
      raw: null,
      reply: null,
      unreadable: null,
    };
    try {
      const push = (await this.pushes.read([row.id])).get(row.id);
      if (push instanceof Error) throw push;
      if (push) Object.assign(content, shown(push));
      content.reply = this.replyOf(row);
    } catch (error) {
      content.unreadable = this.reasonOf(error, row.id);
    }
    return content;
  }

  private replyOf({ id, reply }: CallbackEvent): string | null {
    if (reply === null) return null;
    return this.box.open(reply, secretLocation(encryptedColumns.callbackReply, id)).reveal();
  }

  private reasonOf(error: unknown, eventId: string): EventContent['unreadable'] {
    if (error instanceof HubError) return { code: error.code, message: error.message };
    this.logger.warn('A recorded push can not be read', { eventId, error });
    return { code: 'push_unreadable', message: 'The recorded push can not be read' };
  }
}

/** As a subscriber sees it. */
function shown(push: ArrivedPush): Pick<EventContent, 'format' | 'fields' | 'raw'> {
  const { format, fields, text: raw } = withoutCodes(push);
  return { format, fields, raw };
}
