import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import type { ArrivedPush } from '../callback/arrived-push.js';
import { CallbackEvent } from '../callback/callback-event.entity.js';
import { Database } from '../database/database.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { firstText, readPushText } from '../wechat-crypto/push-text.js';

/** Reads recorded pushes as they were when they arrived. */
@Injectable()
export class StoredPushReader {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  /**
   * By id; those that are no longer stored are missing. An error stands for one that is there and
   * can't be read.
   */
  async read(ids: string[]): Promise<Map<string, ArrivedPush | Error>> {
    if (ids.length === 0) return new Map();
    const rows = await this.database.read((manager) =>
      manager.find(CallbackEvent, { where: { id: In([...new Set(ids)]) } }),
    );
    return new Map(rows.map((row) => [row.id, this.open(row)]));
  }

  /** Whether a push was answered with a passive reply. */
  async hasReply(id: string): Promise<boolean> {
    const where = { id, outcome: 'reply' as const };
    return this.database.read((manager) => manager.existsBy(CallbackEvent, where));
  }

  private open(row: CallbackEvent): ArrivedPush | Error {
    try {
      return this.toPush(row);
    } catch (error) {
      return error as Error;
    }
  }

  private toPush(row: CallbackEvent): ArrivedPush {
    const location = secretLocation(encryptedColumns.callbackPayload, row.id);
    const text = this.box.open(row.payload, location).reveal();
    const { format, fields, problem } = readPushText(text);
    const authorization = row.kind === 'authorization';
    return {
      id: row.id,
      kind: row.kind,
      componentAppId: row.componentAppId,
      authorizerAppId: row.authorizerAppId,
      // The columns are cut to their length; the text has the names whole.
      infoType: authorization ? firstText(fields, 'InfoType') || row.infoType : row.infoType,
      msgType: row.msgType && (firstText(fields, 'MsgType') || row.msgType),
      event: row.event && (firstText(fields, 'Event') || row.event),
      fromUser: row.fromUser && (firstText(fields, 'FromUserName') || row.fromUser),
      createTime: row.createTime,
      receivedAt: row.receivedAt,
      fields,
      text,
      format,
      problem: row.problem ?? problem,
    };
  }
}
