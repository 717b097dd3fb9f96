import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import { configureApp, createAdapter } from './app.setup.js';
import { HubLogger } from './common/hub-logger.js';
import { giveMemoryBackAtRest } from './common/memory-at-rest.js';
import { STOP_LIMIT_MS, Stopping } from './common/stopping.js';
import { listenProblem, type AppConfig } from './config/app-config.js';
import { TicketPushService } from './ticket/ticket-push.service.js';

/** Within so many milliseconds signals are one: a service manager tells npm and hub, and npm the hub. */
const SAME_SIGNAL_MS = 500;

/** Serves the hub of this process until a signal ends it. @throws when it cannot start. */
export async function serve(config: AppConfig): Promise<void> {
  const logger = new HubLogger(config.logLevel);
  // That of cron says there that the process was late for a job: every line of the log is JSON.
  const warn = (...said: unknown[]): void => logger.warn(said.map(String).join(' '), 'Library');
  Object.assign(console, { warn });
  // From here on: an orchestrator may give up waiting while the hub waits for its database.
  const stop = stopOnSignal(config.stopDelaySeconds * 1000);
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.register(config, { timers: true }),
    createAdapter(config.trustedProxies, config.gateway.hosts),
    { bodyParser: false, abortOnError: false, logger },
  );
  stop.app = app;
  configureApp(app);
  await app.listen(config.port, config.host).catch((error: unknown) => {
    throw listenProblem(error) ?? error;
  });
  new Logger('Main').log('Listening', { url: await app.getUrl(), publicUrl: config.publicUrl });
  // Only now: the push that this may ask for must find the port open.
  void app.get(TicketPushService).watch();
  giveMemoryBackAtRest();
}

/**
 * Ends the process with 0 on SIGTERM or SIGINT, after closing `app` once there is one.
 * @param delayMs for so long, in milliseconds, `app` goes on serving and is no longer ready; a
 * second signal ends that.
 */
function stopOnSignal(delayMs: number): { app?: NestFastifyApplication } {
  const target: { app?: NestFastifyApplication } = {};
  const hurry = new AbortController();
  const stop = async (signal: string): Promise<void> => {
    const logger = new Logger('Main');
    logger.log('Stopping', { signal, delayMs });
    if (target.app && delayMs > 0) {
      target.app.get(Stopping).announce();
      await delay(delayMs, undefined, { signal: hurry.signal }).catch(() => undefined);
    }
    setTimeout(() => {
      logger.error('Stopping took too long');
      process.exit(1);
    }, STOP_LIMIT_MS).unref();
    target.app?.get(Stopping).begin();
    await target.app?.close();
    process.exit(0);
  };
  let stopping: Promise<void> | undefined;
  let signalledAt = 0;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping && performance.now() - signalledAt > SAME_SIGNAL_MS) hurry.abort();
      if (stopping) return;
      signalledAt = performance.now();
      stopping = stop(signal);
    });
  }
  return target;
}
