import { Injectable } from '@nestjs/common';
import { CallbackEvent } from '../callback/callback-event.entity.js';
import { Database } from '../database/database.js';
import { encryptedColumns, secretLocation } from '../secrets/encrypted-columns.js';
import { SecretBox } from '../secrets/secret-box.js';
import { TICKET_INFO_TYPE } from '../ticket/ticket.js';
import { readPushText } from '../wechat-crypto/push-text.js';
import {
  typedFields,
  type AuthorizationEventQuery,
  type AuthorizationEventView,
} from './authorization-event.views.js';
import { isoTime } from '../common/times.js';

/** What WeChat told about authorizations, registrations and filings: every event but the tickets. */
@Injectable()
export class AuthorizationEventLog {
  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  /** A page, newest first. */
  async page({
    component,
    infoType,
    limit,
    before,
  }: AuthorizationEventQuery): Promise<AuthorizationEventView[]> {
    const rows = await this.database.read((manager) => {
      const select = manager
        .createQueryBuilder(CallbackEvent, 'event')
        .where("event.kind = 'authorization'")
        .andWhere('event.infoType <> :ticket', { ticket: TICKET_INFO_TYPE })
        .orderBy('event.id', 'DESC')
        .limit(limit);
      if (component) select.andWhere('event.componentAppId = :component', { component });
      if (infoType) select.andWhere('event.infoType = :infoType', { infoType });
      if (before) select.andWhere('event.id < :before', { before });
      return select.getMany();
    });
    return rows.map((row) => this.toView(row));
  }

  private toView(row: CallbackEvent): AuthorizationEventView {
    const { id, componentAppId, infoType, createTime, receivedAt, payload } = row;
    const xml = this.box.open(payload, secretLocation(encryptedColumns.callbackPayload, id));
    return {
      id,
      componentAppId,
      infoType,
      createTime: createTime === null ? null : new Date(createTime * 1000).toISOString(),
      receivedAt: isoTime(receivedAt),
      ...typedFields(infoType, readPushText(xml.reveal()).fields),
    };
  }
}
