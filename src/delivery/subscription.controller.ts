import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { AuditService } from '../auth/audit.service.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { Secret } from '../common/secret.js';
import { AttemptService } from './attempt.service.js';
import { DeliveryReplay } from './delivery.replay.js';
import { DeliveryStore } from './delivery.store.js';
import { attemptOutcomeView, outcomeExample, toOutcomeView } from './delivery.views.js';
import { SubscriptionService } from '../subscription/subscription.service.js';
import {
  newSubscriptionBody,
  replayBody,
  replayedView,
  subscriptionChangeBody,
  subscriptionSecretView,
  subscriptionView,
  subscriptionViewExample,
  testBody,
  toSubscriptionSecretView,
  toSubscriptionView,
  type SubscriptionView,
} from '../subscription/subscription.views.js';

const idParam = z.string().min(1).max(36);
const secretExample = { ...subscriptionViewExample, secret: 'whsec_…' };

/** `/admin/subscriptions`: the services that are notified of pushes. */
@ApiTags('deliveries')
@ApiBearer()
@ApiHubError(404, 'subscription_unknown', 'There is no such subscription')
@Controller('admin/subscriptions')
export class SubscriptionController {
  constructor(
    private readonly subscriptions: SubscriptionService,
    private readonly deliveries: DeliveryStore,
    private readonly replays: DeliveryReplay,
    private readonly attempts: AttemptService,
    private readonly audit: AuditService,
  ) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({ summary: 'List the subscriptions' })
  @ApiJson(z.array(subscriptionView), [subscriptionViewExample])
  async list(): Promise<SubscriptionView[]> {
    return (await this.subscriptions.list()).map(toSubscriptionView);
  }

  @Get(':id')
  @Scope('admin:read')
  @ApiOperation({ summary: 'Show one subscription' })
  @ApiJson(subscriptionView, subscriptionViewExample)
  async get(@Param('id', { schema: idParam }) id: string): Promise<SubscriptionView> {
    return toSubscriptionView(await this.subscriptions.get(id));
  }

  @Post()
  @Scope('admin:operate')
  @Audited('subscription.add', { shows: 'always' })
  @ApiOperation({ summary: 'Add a subscription; its secret is shown this once' })
  @ApiHubError(400, 'target_refused', 'The URL is none, or its address is private')
  @ApiJson(subscriptionSecretView, secretExample, { status: 201 })
  async add(
    @Body({ schema: newSubscriptionBody }) body: z.output<typeof newSubscriptionBody>,
  ): Promise<z.infer<typeof subscriptionSecretView>> {
    this.audit.about(body.name);
    const values = { token: null, encodingAesKey: null, ...withKeys(body) };
    return toSubscriptionSecretView(await this.subscriptions.add(values));
  }

  @Patch(':id')
  @Scope('admin:operate')
  @Audited('subscription.change')
  @ApiOperation({
    summary: 'Change, disable or enable a subscription',
    description: 'Live on every host within 10 s. What is pending waits while it is disabled.',
  })
  @ApiHubError(400, 'target_refused', 'The URL is none, or its address is private')
  @ApiJson(subscriptionView, subscriptionViewExample)
  async change(
    @Param('id', { schema: idParam }) id: string,
    @Body({ schema: subscriptionChangeBody }) body: z.output<typeof subscriptionChangeBody>,
  ): Promise<SubscriptionView> {
    return toSubscriptionView(await this.subscriptions.change(id, withKeys(body)));
  }

  @Delete(':id')
  @Scope('admin:operate')
  @Audited('subscription.delete')
  @ApiOperation({ summary: 'Remove a subscription, shown once more; what is pending is cancelled' })
  @ApiJson(subscriptionView, subscriptionViewExample)
  async remove(@Param('id', { schema: idParam }) id: string): Promise<SubscriptionView> {
    const removed = await this.subscriptions.remove(id);
    await this.deliveries.cancelOf(id);
    return toSubscriptionView(removed);
  }

  @Post(':id/rotate-secret')
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('subscription.rotate_secret', { shows: 'always' })
  @ApiOperation({
    summary: 'Make a new secret, shown this once; for 24 h both sign',
    description: 'In the format wechat a new Token and key too, which count at once.',
  })
  @ApiJson(subscriptionSecretView, secretExample)
  async rotateSecret(
    @Param('id', { schema: idParam }) id: string,
  ): Promise<z.infer<typeof subscriptionSecretView>> {
    return toSubscriptionSecretView(await this.subscriptions.rotateSecret(id));
  }

  @Post(':id/test')
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('subscription.test')
  @ApiHubError(409, 'subscription_unreadable', 'Its secret or its filter cannot be read')
  @ApiOperation({ summary: 'Send a sample push now and show how it went; nothing is stored' })
  @ApiJson(attemptOutcomeView, outcomeExample)
  async test(
    @Param('id', { schema: idParam }) id: string,
    @Body({ schema: testBody }) body: z.output<typeof testBody>,
  ): Promise<z.infer<typeof attemptOutcomeView>> {
    await this.subscriptions.get(id);
    const subscription = await this.subscriptions.getReadable(id);
    return toOutcomeView(await this.attempts.sendSample(subscription, body?.kind));
  }

  @Post(':id/replay')
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('subscription.replay')
  @ApiHubError(409, 'subscription_unreadable', 'Its secret or its filter cannot be read')
  @ApiOperation({
    summary: 'Deliver the pushes of a time range again',
    description:
      'Those that its filter means: the dead ones, the delivered ones, or all, with those that ' +
      'were never delivered because it did not exist then, or was disabled.',
  })
  @ApiJson(replayedView, { replayed: 17 })
  async replay(
    @Param('id', { schema: idParam }) id: string,
    @Body({ schema: replayBody }) body: z.output<typeof replayBody>,
  ): Promise<z.infer<typeof replayedView>> {
    await this.subscriptions.get(id);
    const range = { ...body, from: Date.parse(body.from), to: Date.parse(body.to) };
    return { replayed: await this.replays.range(id, range) };
  }
}

/** What was sent, its Token and key as secrets where they are there. */
function withKeys<B extends { token?: string; encodingAesKey?: string }>(body: B) {
  const { token, encodingAesKey, ...values } = body;
  return {
    ...values,
    ...(token !== undefined && { token: new Secret(token) }),
    ...(encodingAesKey !== undefined && { encodingAesKey: new Secret(encodingAesKey) }),
  };
}
