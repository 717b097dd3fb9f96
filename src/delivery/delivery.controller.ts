import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { AuditService } from '../auth/audit.service.js';
import {
  ApiBearer,
  ApiHubError,
  ApiJson,
  revealQuery,
  type RevealQuery,
} from '../http/api-docs.js';
import { DeliveryLog } from './delivery.log.js';
import { DeliveryReplay } from './delivery.replay.js';
import {
  attemptOutcomeView,
  attemptViewExample,
  deliveryDetailView,
  deliveryListQuery,
  deliveryListView,
  deliveryView,
  deliveryViewExample,
  outcomeExample,
  replayDeliveriesBody,
  replayedDeliveriesView,
  toAttemptView,
  toDeliverySearch,
  toDeliveryView,
  toOutcomeView,
  type DeliveryListQuery,
  type DeliveryView,
  type ReplayDeliveriesBody,
} from './delivery.views.js';
import { idParam } from '../http/field-schemas.js';

/** `/admin/deliveries`: pushes on their way to subscriptions. */
@ApiTags('deliveries')
@ApiBearer()
@Controller('admin/deliveries')
export class DeliveryController {
  constructor(
    private readonly log: DeliveryLog,
    private readonly replays: DeliveryReplay,
    private readonly audit: AuditService,
  ) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({
    summary: 'Deliveries, newest first',
    description:
      'Page with `before` until `next` is null: a page for several filters together may have few ' +
      'deliveries, or none.',
  })
  @ApiJson(deliveryListView, { deliveries: [deliveryViewExample], next: null })
  async list(
    @Query({ schema: deliveryListQuery }) query: DeliveryListQuery,
  ): Promise<z.infer<typeof deliveryListView>> {
    const { rows, next } = await this.log.page(toDeliverySearch(query), query.limit);
    return { deliveries: rows.map(toDeliveryView), next };
  }

  @Get(':id')
  @Scope('admin:read')
  @Audited('delivery.reveal', { shows: 'asked' })
  @ApiOperation({
    summary: 'One delivery, with its attempts',
    description: '`?reveal=true` shows what was kept of the answers of its target, and is audited.',
  })
  @ApiHubError(404, 'delivery_unknown', 'There is no such delivery')
  @ApiJson(deliveryDetailView, { ...deliveryViewExample, history: [attemptViewExample] })
  async get(
    @Param('id', { schema: idParam }) id: string,
    @Query({ schema: revealQuery }) { reveal }: RevealQuery,
  ): Promise<z.infer<typeof deliveryDetailView>> {
    const row = await this.log.get(id);
    const attempts = await this.log.attempts(id);
    const history = attempts.map((one) =>
      toAttemptView(one, reveal ? this.log.answerOf(one) : null),
    );
    return { ...toDeliveryView(row), history };
  }

  @Post('replay')
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('delivery.replay')
  @ApiOperation({
    summary: 'Begin all deliveries of a filter again, newest first',
    description:
      'The dead ones unless `status` says otherwise; of pending ones, those that have failed are ' +
      'attempted now, and their schedule goes on as it was. `dryRun` says ' +
      'how many there are. Those of subscriptions that were removed or are unreadable are left out.',
  })
  @ApiJson(replayedDeliveriesView, { matching: 17, replayed: 17, next: null })
  async replayAll(
    @Body({ schema: replayDeliveriesBody }) body: ReplayDeliveriesBody,
  ): Promise<z.infer<typeof replayedDeliveriesView>> {
    const { limit: most, dryRun, ...filter } = body;
    const named = Object.entries(filter).map(([name, value]) => `${name}=${String(value)}`);
    this.audit.about([...(dryRun ? ['dry run'] : []), ...named].join(' '));
    return this.replays.found(toDeliverySearch(filter), { most, dryRun });
  }

  @Post(':id/cancel')
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('delivery.cancel')
  @ApiOperation({
    summary: 'End a delivery that is pending',
    description: 'An attempt that is under way, or about to begin, may still reach the target.',
  })
  @ApiHubError(404, 'delivery_unknown', 'There is no such delivery')
  @ApiHubError(409, 'delivery_ended', 'The delivery is not pending')
  @ApiJson(deliveryView, { ...deliveryViewExample, status: 'cancelled' })
  async cancel(@Param('id', { schema: idParam }) id: string): Promise<DeliveryView> {
    return toDeliveryView(await this.replays.cancel(id));
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
    return toOutcomeView(await this.replays.one(id));
  }
}
