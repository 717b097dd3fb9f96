import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import { configureApp, createAdapter } from './app.setup.js';
import { HubLogger } from './common/hub-logger.js';
import { ConfigError, type AppConfig } from './config/app-config.js';
import { loadConfig } from './config/load-config.js';
import { TicketPushService } from './ticket/ticket-push.service.js';

/** Longest that a stop may take, in milliseconds. */
const SHUTDOWN_LIMIT_MS = 9500;

async function start(config: AppConfig): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.register(config, { timers: true }),
    createAdapter(),
    { bodyParser: false, abortOnError: false, logger: new HubLogger(config.logLevel) },
  );
  configureApp(app);
  stopOnSignal(app);
  await app.listen(config.port, config.host);
  new Logger('Main').log('Listening', { url: await app.getUrl(), publicUrl: config.publicUrl });
  // Only now: the push that this may ask for must find the port open.
  void app.get(TicketPushService).watch();
  return app;
}

function stopOnSignal(app: NestFastifyApplication): void {
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    const logger = new Logger('Main');
    logger.log('Stopping', { signal });
    setTimeout(() => {
      logger.error('Stopping took too long');
      process.exit(1);
    }, SHUTDOWN_LIMIT_MS).unref();
    await app.close();
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
}

try {
  await start(loadConfig());
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`);
  else new HubLogger('error').error('The hub could not start', error);
  process.exit(1);
}
