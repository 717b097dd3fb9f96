import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { EventLog } from './event.log.js';
import {
  eventDetailExample,
  eventDetailView,
  eventListQuery,
  eventListView,
  eventViewExample,
  type EventDetailView,
  type EventListQuery,
} from './event-log.views.js';

const idParam = z.string().min(1).max(36);

/** `/admin/events`: the recorded pushes of both URLs. */
@ApiTags('events')
@ApiBearer()
@Controller('admin/events')
export class EventLogController {
  constructor(private readonly log: EventLog) {}

  @Get()
  @Scope('events:read', { or: 'admin:read' })
  @ApiOperation({
    summary: 'Recorded pushes, newest first',
    description:
      'Tickets, authorization events, messages and events, without their content. Kept for ' +
      'EVENT_RETENTION_DAYS and MESSAGE_RETENTION_DAYS. Page with `before` until `next` is ' +
      'null: a page of a rare type may have few events, or none.',
  })
  @ApiJson(eventListView, { events: [eventViewExample], next: null })
  async list(
    @Query({ schema: eventListQuery }) query: EventListQuery,
  ): Promise<z.infer<typeof eventListView>> {
    return this.log.page(query);
  }

  @Get(':id')
  @Scope('events:read')
  @Audited('event.reveal', { shows: 'always' })
  @ApiOperation({
    summary: 'One push, decrypted, with its deliveries and their attempts',
    description: 'Audited. Tickets and codes of authorization events are shown as `[secret]`.',
  })
  @ApiHubError(404, 'event_unknown', 'There is no such push, or it is no longer stored')
  @ApiJson(eventDetailView, eventDetailExample)
  async get(@Param('id', { schema: idParam }) id: string): Promise<EventDetailView> {
    return this.log.detail(id);
  }
}
