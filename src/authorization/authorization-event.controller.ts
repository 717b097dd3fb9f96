import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { PushStore } from '../callback/push.store.js';
import { ApiBearer, ApiJson } from '../http/api-docs.js';
import {
  authorizationEventExample,
  authorizationEventListView,
  authorizationEventQuery,
  toAuthorizationEventView,
  type AuthorizationEventQuery,
} from './authorization-event.views.js';
import { lastOfFullPage } from '../http/field-schemas.js';
import { TICKET_INFO_TYPE } from '../ticket/ticket.js';

/** `/admin/authorizations/events`: what WeChat pushed about a platform's accounts. */
@ApiTags('authorizers')
@ApiBearer()
@Controller('admin/authorizations/events')
export class AuthorizationEventController {
  constructor(private readonly pushes: PushStore) {}

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
    const { component: componentAppId, account: authorizerAppId, infoType, before, limit } = query;
    const events = { componentAppId, infoType, exceptInfoType: TICKET_INFO_TYPE, before };
    const page =
      authorizerAppId === undefined
        ? await this.pushes.pageOfInfoTypes(events, limit)
        : await this.pushes.page({ ...events, authorizerAppId }, limit);
    const pushes = await this.pushes.read(page.map(({ id }) => id));
    const shown = page.flatMap((listed) => {
      const push = pushes.get(listed.id);
      return push ? toAuthorizationEventView(listed, push) : [];
    });
    return { events: shown, next: lastOfFullPage(page, limit)?.id ?? null };
  }
}
