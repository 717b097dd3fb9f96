import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { ApiBearer, ApiJson } from '../http/api-docs.js';
import { AuthorizationEventLog } from './authorization-event.log.js';
import {
  authorizationEventExample,
  authorizationEventListView,
  authorizationEventQuery,
  type AuthorizationEventQuery,
} from './authorization-event.views.js';
import { lastOfFullPage } from '../http/list-query.js';

/** `/admin/authorizations/events`: what WeChat told about a platform's accounts. */
@ApiTags('authorizers')
@ApiBearer()
@Controller('admin/authorizations/events')
export class AuthorizationEventController {
  constructor(private readonly log: AuthorizationEventLog) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({
    summary: 'Events of authorization, registration and filing, newest first',
    description: 'Fields as numbers and texts in WeChat’s spelling; unknown events as they came.',
  })
  @ApiJson(authorizationEventListView, { events: [authorizationEventExample], next: null })
  async list(
    @Query({ schema: authorizationEventQuery }) query: AuthorizationEventQuery,
  ): Promise<z.infer<typeof authorizationEventListView>> {
    const events = await this.log.page(query);
    const last = lastOfFullPage(events, query.limit);
    return { events, next: last?.id ?? null };
  }
}
