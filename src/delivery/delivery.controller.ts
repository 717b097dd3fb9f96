import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { DeliveryLog } from './delivery.log.js';
import { DeliveryReplay } from './delivery.replay.js';
import {
  attemptOutcomeView,
  attemptViewExample,
  deliveryDetailView,
  deliveryListQuery,
  deliveryListView,
  deliveryViewExample,
  outcomeExample,
  toAttemptView,
  toDeliveryView,
  toOutcomeView,
  type DeliveryListQuery,
} from './delivery.views.js';
import { lastOfFullPage } from '../http/list-query.js';

const idParam = z.string().min(1).max(36);

/** `/admin/deliveries`: pushes on their way to subscriptions. */
@ApiTags('deliveries')
@ApiBearer()
@Controller('admin/deliveries')
export class DeliveryController {
  constructor(
    private readonly log: DeliveryLog,
    private readonly replays: DeliveryReplay,
  ) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({ summary: 'Deliveries, newest first' })
  @ApiJson(deliveryListView, { deliveries: [deliveryViewExample], next: null })
  async list(
    @Query({ schema: deliveryListQuery }) query: DeliveryListQuery,
  ): Promise<z.infer<typeof deliveryListView>> {
    const rows = await this.log.page(query);
    const last = lastOfFullPage(rows, query.limit);
    return { deliveries: rows.map(toDeliveryView), next: last?.id ?? null };
  }

  @Get(':id')
  @Scope('admin:read')
  @ApiOperation({ summary: 'One delivery, with its attempts' })
  @ApiHubError(404, 'delivery_unknown', 'There is no such delivery')
  @ApiJson(deliveryDetailView, { ...deliveryViewExample, history: [attemptViewExample] })
  async get(
    @Param('id', { schema: idParam }) id: string,
  ): Promise<z.infer<typeof deliveryDetailView>> {
    const row = await this.log.get(id);
    const attempts = await this.log.attempts(id);
    return { ...toDeliveryView(row), history: attempts.map(toAttemptView) };
  }

  @Post(':id/replay')
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('delivery.replay')
  @ApiOperation({
    summary: 'Attempt a delivery now and show how it went',
    description: 'The schedule of one that is pending stays as it is, unless the target takes it.',
  })
  @ApiHubError(404, 'delivery_unknown', 'There is no such delivery')
  @ApiHubError(409, 'push_gone', 'The push is no longer stored')
  @ApiJson(attemptOutcomeView, outcomeExample)
  async replay(
    @Param('id', { schema: idParam }) id: string,
  ): Promise<z.infer<typeof attemptOutcomeView>> {
    await this.log.get(id);
    return toOutcomeView(await this.replays.one(id));
  }
}
