import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { KeepsEvents } from '../callback/event-retention.js';
import { Database } from '../database/database.js';
import { DeliveryRow } from '../delivery/delivery.entity.js';

/** Keeps pushes beyond their time while they are still to be delivered. */
@Injectable()
export class EventStoreKeeper {
  constructor(private readonly database: Database) {}

  @KeepsEvents(true)
  async stillPending(ids: string[]): Promise<string[]> {
    const rows = await this.database.read((manager) =>
      manager.find(DeliveryRow, {
        select: { eventId: true },
        where: { eventId: In(ids), status: 'pending' },
      }),
    );
    return rows.map(({ eventId }) => eventId);
  }
}
