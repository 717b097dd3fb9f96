import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { replayedView } from '../subscription/subscription.views.js';
import { EventLog } from './event.log.js';
import {
  eventDetailExample,
  eventDetailQuery,
  eventDetailView,
  eventListQuery,
  eventListView,
  eventReplayBody,
  eventViewExample,
  type EventDetailView,
  type EventListQuery,
} from './event-log.views.js';
import { idParam } from '../http/field-schemas.js';

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
  @Scope('events:read', { withoutContent: 'admin:read' })
  @Audited('event.reveal', { shows: 'unless_declined' })
  @ApiOperation({
    summary: 'One push, decrypted, with its deliveries and their attempts',
    description:
      'Audited, unless `?content=false` asks for all but the content, for which `admin:read` is ' +
      'enough. Tickets and codes of authorization events are shown as `[secret]`.',
  })
  @ApiHubError(404, 'event_unknown', 'There is no such push, or it is no longer stored')
  @ApiJson(eventDetailView, eventDetailExample)
  async get(
    @Param('id', { schema: idParam }) id: string,
    @Query({ schema: eventDetailQuery }) { content }: z.output<typeof eventDetailQuery>,
  ): Promise<EventDetailView> {
    return this.log.detail(id, content);
  }

  @Post(':id/replay')
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('event.replay')
  @ApiOperation({
    summary: 'Deliver a push to chosen subscriptions, for the first time or again',
    description: 'Whatever their filters mean. What waits after a failure is attempted now.',
  })
  @ApiHubError(404, 'event_unknown', 'There is no such push; also subscription_unknown')
  @ApiHubError(
    409,
    'push_for_hub',
    'A ticket, or of the release check; also subscription_unreadable',
  )
  @ApiJson(replayedView, { replayed: 1 })
  async replay(
    @Param('id', { schema: idParam }) id: string,
    @Body({ schema: eventReplayBody }) { subscriptions }: z.output<typeof eventReplayBody>,
  ): Promise<z.infer<typeof replayedView>> {
    return { replayed: await this.log.replay(id, subscriptions) };
  }
}
