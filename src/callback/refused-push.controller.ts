import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { ApiBearer, ApiJson } from '../http/api-docs.js';
import { RefusedPushStore } from './refused-push.store.js';
import {
  refusedPushExample,
  refusedPushListQuery,
  refusedPushListView,
  toRefusedPushView,
  type RefusedPushListQuery,
} from './refused-push.views.js';
import { lastOfFullPage } from '../http/field-schemas.js';

/** `/admin/refused-pushes`: what was sent to the callback URLs and not taken. */
@ApiTags('events')
@ApiBearer()
@Controller('admin/refused-pushes')
export class RefusedPushController {
  constructor(private readonly store: RefusedPushStore) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({
    summary: 'Refused pushes by hour, URL, reason and sender, newest first',
    description: 'Counts only: nothing of what was sent is kept.',
  })
  @ApiJson(refusedPushListView, { refusedPushes: [refusedPushExample], next: null })
  async list(
    @Query({ schema: refusedPushListQuery }) query: RefusedPushListQuery,
  ): Promise<z.infer<typeof refusedPushListView>> {
    const rows = await this.store.page(query);
    const last = lastOfFullPage(rows, query.limit);
    return { refusedPushes: rows.map(toRefusedPushView), next: last?.id ?? null };
  }
}
