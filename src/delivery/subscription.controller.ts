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
import {
  testOutcomeExample,
  testOutcomeView,
  toTestOutcomeView,
  type TestOutcomeView,
} from './delivery.views.js';
import { SubscriptionActivities } from './subscription-activities.js';
import { SubscriptionService } from '../subscription/subscription.service.js';
import type { Subscription } from '../subscription/subscription.js';
import {
  draftTestBody,
  newSubscriptionBody,
  previewBody,
  previewView,
  replayBody,
  replayedView,
  subscriptionChangeBody,
  subscriptionSecretView,
  subscriptionView,
  subscriptionViewExample,
  testBody,
  toSubscriptionSecretView,
  toSubscriptionView,
  type SubscriptionActivity,
  type SubscriptionView,
} from '../subscription/subscription.views.js';
import { idParam } from '../http/field-schemas.js';

const secretExample = { ...subscriptionViewExample, secret: 'whsec_…' };

const ApiUnknownSubscription = (): MethodDecorator =>
  ApiHubError(404, 'subscription_unknown', 'There is no such subscription');

/** `/admin/subscriptions`: the services that are notified of pushes. */
@ApiTags('deliveries')
@ApiBearer()
@Controller('admin/subscriptions')
export class SubscriptionController {
  constructor(
    private readonly subscriptions: SubscriptionService,
    private readonly deliveries: DeliveryStore,
    private readonly replays: DeliveryReplay,
    private readonly attempts: AttemptService,
    private readonly activities: SubscriptionActivities,
    private readonly audit: AuditService,
  ) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({ summary: 'List the subscriptions' })
  @ApiJson(z.array(subscriptionView), [subscriptionViewExample])
  async list(): Promise<SubscriptionView[]> {
    return this.views(await this.subscriptions.list());
  }

  @Get(':id')
  @ApiUnknownSubscription()
  @Scope('admin:read')
  @ApiOperation({ summary: 'Show one subscription' })
  @ApiJson(subscriptionView, subscriptionViewExample)
  async get(@Param('id', { schema: idParam }) id: string): Promise<SubscriptionView> {
    return this.view(await this.subscriptions.get(id));
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
    return this.secretView(await this.subscriptions.add(draftOf(body)));
  }

  @Patch(':id')
  @ApiUnknownSubscription()
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
    return this.view(await this.subscriptions.change(id, withKeys(body)));
  }

  @Delete(':id')
  @ApiUnknownSubscription()
  @Scope('admin:operate')
  @Audited('subscription.delete')
  @ApiOperation({ summary: 'Remove a subscription, shown once more; what is pending is cancelled' })
  @ApiJson(subscriptionView, subscriptionViewExample)
  async remove(@Param('id', { schema: idParam }) id: string): Promise<SubscriptionView> {
    const removed = await this.subscriptions.remove(id);
    await this.deliveries.cancelOf(id);
    return this.view(removed);
  }

  @Post(':id/rotate-secret')
  @ApiUnknownSubscription()
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
    return this.secretView(await this.subscriptions.rotateSecret(id));
  }

  @Post(':id/test')
  @ApiUnknownSubscription()
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('subscription.test')
  @ApiHubError(409, 'subscription_unreadable', 'Its secret or its filter cannot be read')
  @ApiOperation({ summary: 'Send a sample push now and show how it went; nothing is stored' })
  @ApiJson(testOutcomeView, testOutcomeExample)
  async test(
    @Param('id', { schema: idParam }) id: string,
    @Body({ schema: testBody }) body: z.output<typeof testBody>,
  ): Promise<TestOutcomeView> {
    const subscription = await this.subscriptions.getReadable(id);
    return toTestOutcomeView(await this.attempts.sendSample(subscription, body?.kind));
  }

  @Post('test')
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('subscription.test')
  @ApiHubError(400, 'target_refused', 'The URL is none, or its address is private')
  @ApiOperation({
    summary: 'Send a sample push to what is no subscription yet; nothing is stored',
    description:
      'It is signed with a secret that is made for this test: a target that checks it refuses it.',
  })
  @ApiJson(testOutcomeView, testOutcomeExample)
  async testDraft(
    @Body({ schema: draftTestBody }) body: z.output<typeof draftTestBody>,
  ): Promise<TestOutcomeView> {
    const { kind, ...values } = body;
    this.audit.about(values.url);
    const draft = this.subscriptions.draft(draftOf(values));
    return toTestOutcomeView(await this.attempts.sendSample(draft, kind));
  }

  @Post('preview')
  @Scope('admin:operate')
  @HttpCode(200)
  @ApiUnknownSubscription()
  @ApiHubError(409, 'subscription_unreadable', 'Its secret or its filter cannot be read')
  @ApiOperation({
    summary: 'Count what a filter means in a time range, and what a replay would begin',
    description: 'Of a subscription, or of a filter that is not stored yet. It changes nothing.',
  })
  @ApiJson(previewView, { pushes: 17, replayed: 16, complete: true })
  async preview(
    @Body({ schema: previewBody }) body: z.output<typeof previewBody>,
  ): Promise<z.infer<typeof previewView>> {
    const { subscription: id, from, to, status, ...filter } = body;
    const subscription =
      id === undefined
        ? this.subscriptions.draftOf(filter)
        : await this.subscriptions.getReadable(id);
    const range = { from: Date.parse(from), to: Date.parse(to), status };
    return this.replays.preview(subscription, range);
  }

  @Post(':id/replay')
  @ApiUnknownSubscription()
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('subscription.replay')
  @ApiHubError(409, 'subscription_unreadable', 'Its secret or its filter cannot be read')
  @ApiOperation({
    summary: 'Deliver the pushes of a time range again',
    description:
      'Those that its filter means: what was not delivered, the dead ones alone, the delivered ' +
      'ones, or all. What was not delivered includes what came before it existed, or while it was ' +
      'disabled, and what waits after a failure, which is attempted now.',
  })
  @ApiJson(replayedView, { replayed: 17 })
  async replay(
    @Param('id', { schema: idParam }) id: string,
    @Body({ schema: replayBody }) body: z.output<typeof replayBody>,
  ): Promise<z.infer<typeof replayedView>> {
    const range = { ...body, from: Date.parse(body.from), to: Date.parse(body.to) };
    return { replayed: await this.replays.range(id, range) };
  }

  private views(subscriptions: Subscription[]): Promise<SubscriptionView[]> {
    return this.activities
      .of(subscriptions)
      .then((all) =>
        all.map((one, at) => toSubscriptionView(subscriptions[at] as Subscription, one)),
      );
  }

  private async view(subscription: Subscription): Promise<SubscriptionView> {
    const [view] = await this.views([subscription]);
    return view as SubscriptionView;
  }

  private async secretView(
    subscription: Subscription,
  ): Promise<z.infer<typeof subscriptionSecretView>> {
    const [activity] = await this.activities.of([subscription]);
    return toSubscriptionSecretView(subscription, activity as SubscriptionActivity);
  }
}

/** What is not given of the format wechat is made. */
function draftOf<B extends { token?: string; encodingAesKey?: string }>(body: B) {
  return { token: null, encodingAesKey: null, ...withKeys(body) };
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
