import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { AuthorizerStore } from '../authorizer/authorizer.store.js';
import { Clock } from '../common/clock.js';
import { SharedReading } from '../common/shared-reading.js';
import { SingleFlight } from '../common/single-flight.js';
import { workerNumber } from '../common/worker.js';
import { onTelemetry, type TelemetryEvents } from '../common/telemetry.js';
import { ComponentService } from '../component/component.service.js';
import { DeliveryLog } from '../delivery/delivery.log.js';
import { SubscriptionService } from '../subscription/subscription.service.js';
import { ticketAgeMs, type Ticket } from '../ticket/ticket.js';
import { TicketService } from '../ticket/ticket.service.js';
import type { TokenState } from '../token-engine/token-state.js';
import { TokenService } from '../token/token.service.js';
import { secondsLeft } from '../token/token.views.js';
import { observeAuthorizers } from './authorizer-metrics.js';
import { WorkerMetrics } from './worker-metrics.js';
import { errcodeLabel, methodLabel, pushTypeLabel } from './metric-labels.js';

/** Answers within WeChat's 5 s, and the much shorter ones that are normal. */
const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

let ofProcess: Registry | undefined;

/**
 * The metrics of Node.js itself. Their observers of garbage collection and of the event loop cannot
 * be taken off again: one set serves every hub of a process.
 */
function processMetrics(): Registry {
  if (!ofProcess) {
    ofProcess = new Registry();
    collectDefaultMetrics({ register: ofProcess });
  }
  return ofProcess;
}

/** What a platform holds at the moment of a scrape. */
interface Credentials {
  appid: string;
  ticket: Ticket | undefined;
  token: TokenState;
}

/**
 * Prometheus metrics, fed by what features report. Labels hold appids of registered platforms, ids
 * of subscriptions, and names and codes of which there is a fixed number: nobody outside makes series.
 */
@Injectable()
export class MetricsService implements OnApplicationShutdown {
  /** What this process counts. */
  private readonly counted = Registry.merge([processMetrics()]);
  /** What any process reads in the database when Prometheus asks. */
  private readonly read = new Registry();
  private readonly workers =
    workerNumber === undefined
      ? undefined
      : new WorkerMetrics(() => this.counted.getMetricsAsJSON());
  private readonly texts = new SharedReading(async () => {
    const texts = [this.workers?.text() ?? this.counted.metrics(), this.read.metrics()];
    return (await Promise.all(texts)).join('\n');
  });
  private readonly readings = new SingleFlight<Credentials[]>();
  private readonly stopListening: (() => void)[] = [];

  constructor(
    private readonly components: ComponentService,
    private readonly tickets: TicketService,
    private readonly tokens: TokenService,
    authorizers: AuthorizerStore,
    private readonly subscriptions: SubscriptionService,
    private readonly deliveries: DeliveryLog,
    private readonly clock: Clock,
  ) {
    this.observeCredentials();
    this.observeCallbacks();
    this.observeTokens();
    this.observeWechat();
    this.observeDeliveries();
    this.observeHttp();
    this.observeDoctor();
    observeAuthorizers(this.read, authorizers);
  }

  /** The metrics in Prometheus' text format. */
  text(): Promise<string> {
    return this.texts.get();
  }

  get contentType(): string {
    return this.counted.contentType;
  }

  onApplicationShutdown(): void {
    this.workers?.close();
    for (const stop of this.stopListening) stop();
  }

  private observeCredentials(): void {
    this.gaugePerComponent(
      'hub_ticket_age_seconds',
      'Seconds since WeChat made the newest ticket; absent while there is none',
      ({ ticket }) => ticketAgeMs(ticket, this.clock.now()) / 1000,
    );
    this.gaugePerComponent(
      'hub_token_remaining_seconds',
      'Seconds for which the component_access_token is still valid; 0 without one',
      ({ token }) => secondsLeft(token, this.clock.now()),
    );
    this.gaugePerComponent(
      'hub_token_failed_attempts',
      'Failed refreshes in a row',
      ({ token }) => token.attempts,
    );
  }

  /**
   * A gauge that is read when Prometheus asks, one finite value per enabled platform. A database
   * that is down leaves the values out and not the scrape.
   */
  private gaugePerComponent(
    name: string,
    help: string,
    value: (credentials: Credentials) => number,
  ): void {
    const collect = async (): Promise<void> => {
      // The gauges of one scrape share one reading.
      const all = await this.readings.run('scrape', () => this.credentials()).catch(() => []);
      gauge.reset();
      for (const credentials of all) {
        const current = value(credentials);
        if (Number.isFinite(current)) gauge.set({ component: credentials.appid }, current);
      }
    };
    const gauge: Gauge<'component'> = new Gauge({
      name,
      help,
      labelNames: ['component'],
      registers: [this.read],
      collect,
    });
  }

  private async credentials(): Promise<Credentials[]> {
    const tickets = new Map((await this.tickets.all()).map((ticket) => [ticket.appId, ticket]));
    const components = await this.components.enabled();
    return Promise.all(
      components.map(async ({ appid }) => ({
        appid,
        ticket: tickets.get(appid),
        token: await this.tokens.inspect(appid),
      })),
    );
  }

  private observeCallbacks(): void {
    const pushes = this.counter(
      'hub_callback_pushes_total',
      'Pushes by InfoType or MsgType (other: not a known one) and outcome: success, repeated, or the code of the refusal',
      ['component', 'info_type', 'outcome'],
    );
    const duration = this.histogram('hub_callback_duration_seconds', "Time to WeChat's answer", []);
    const previousKey = this.counter(
      'hub_callback_previous_key_total',
      'Pushes that came under the previous Token or EncodingAESKey',
      ['component'],
    );
    this.listen('callback.push', ({ componentAppId, infoType, outcome, seconds }) => {
      pushes.inc({ component: componentAppId, info_type: pushTypeLabel(infoType), outcome });
      duration.observe(seconds);
    });
    const refused = this.counter(
      'hub_callback_refused_total',
      'Refused requests to the callback URLs (events, messages, other for paths like them), by code',
      ['component', 'url', 'code'],
    );
    this.listen('callback.refused', ({ componentAppId, url, code }) =>
      refused.inc({ component: componentAppId, url, code }),
    );
    this.listen('callback.previous_key', ({ componentAppId }) =>
      previousKey.inc({ component: componentAppId }),
    );
  }

  private observeTokens(): void {
    const exchanges = this.counter(
      'hub_token_exchanges_total',
      'Exchanges by outcome: ok, superseded, or the class of the failure',
      ['kind', 'outcome'],
    );
    const leaseWait = this.histogram(
      'hub_token_lease_wait_seconds',
      "Waits for another process's lease",
      ['kind'],
    );
    this.listen('token.exchange', ({ kind, outcome }) => exchanges.inc({ kind, outcome }));
    this.listen('token.lease_wait', ({ kind, seconds }) => leaseWait.observe({ kind }, seconds));
  }

  private observeWechat(): void {
    const calls = this.counter(
      'hub_wechat_calls_total',
      'Calls to WeChat by path and errcode: ok, other, or a word where no answer was readable',
      ['path', 'errcode'],
    );
    const duration = this.histogram(
      'hub_wechat_call_duration_seconds',
      'Duration of calls to WeChat',
      ['path'],
    );
    const startPush = this.counter(
      'hub_ticket_start_push_total',
      'Requests to WeChat to push tickets, by outcome',
      ['component', 'outcome'],
    );
    this.listen('wechat.call', ({ path, errcode, seconds }) => {
      calls.inc({ path, errcode: errcodeLabel(errcode) });
      duration.observe({ path }, seconds);
    });
    this.listen('ticket.start_push', ({ componentAppId, outcome }) =>
      startPush.inc({ component: componentAppId, outcome: errcodeLabel(outcome) }),
    );
  }

  private observeDeliveries(): void {
    const attempts = this.counter(
      'hub_delivery_attempts_total',
      'Calls of subscriptions by cause and outcome: taken, refused or unreachable',
      ['subscription', 'cause', 'outcome'],
    );
    const duration = this.histogram(
      'hub_delivery_duration_seconds',
      'Duration of calls of subscriptions',
      ['subscription'],
    );
    const dead = this.counter('hub_delivery_dead_total', 'Deliveries given up for good', [
      'subscription',
    ]);
    const disabled = this.counter(
      'hub_subscription_disabled_total',
      'Subscriptions that the hub has disabled for what their targets did',
      ['subscription'],
    );
    this.listen('delivery.attempt', ({ subscriptionId, cause, outcome, seconds }) => {
      attempts.inc({ subscription: subscriptionId, cause, outcome });
      duration.observe({ subscription: subscriptionId }, seconds);
    });
    this.listen('delivery.dead', ({ subscriptionId }) =>
      dead.inc({ subscription: subscriptionId }),
    );
    this.listen('delivery.disabled', ({ subscriptionId }) =>
      disabled.inc({ subscription: subscriptionId }),
    );
    this.gaugePendingDeliveries();
  }

  /** What waits, also for subscriptions that are disabled. */
  private gaugePendingDeliveries(): void {
    const collect = async (): Promise<void> => {
      const ids = (await this.subscriptions.list().catch(() => [])).map(({ id }) => id);
      const pending = await this.deliveries.pending(ids).catch(() => undefined);
      gauge.reset();
      if (!pending) return;
      for (const id of ids) gauge.set({ subscription: id }, pending.get(id) ?? 0);
    };
    const gauge: Gauge<'subscription'> = new Gauge({
      name: 'hub_delivery_pending',
      help: 'Deliveries that are still to be made',
      labelNames: ['subscription'],
      registers: [this.read],
      collect,
    });
  }

  private observeHttp(): void {
    const duration = this.histogram(
      'hub_http_request_duration_seconds',
      'Duration of requests to the hub, by route',
      ['method', 'route', 'status'],
    );
    this.listen('http.request', ({ seconds, method, ...labels }) =>
      duration.observe({ method: methodLabel(method), ...labels }, seconds),
    );
  }

  private observeDoctor(): void {
    const checks: Gauge<'check' | 'status'> = new Gauge({
      name: 'hub_doctor_check',
      help: 'Places (the hub, or each platform) that a check of the doctor found ok, warning, failure or skipped, by its last run',
      labelNames: ['check', 'status'],
      registers: [this.counted],
    });
    this.listen('doctor.run', ({ counts }) => {
      // A platform that is gone takes its checks with it.
      checks.reset();
      for (const { check, status, count } of counts) checks.set({ check, status }, count);
    });
  }

  private counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.counted] });
  }

  private histogram<L extends string>(name: string, help: string, labelNames: L[]): Histogram<L> {
    return new Histogram({ name, help, labelNames, buckets: SECONDS, registers: [this.counted] });
  }

  private listen<K extends keyof TelemetryEvents>(
    name: K,
    listener: (event: TelemetryEvents[K]) => void,
  ): void {
    this.stopListening.push(onTelemetry(name, listener));
  }
}
