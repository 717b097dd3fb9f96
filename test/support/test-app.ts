import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { WechatSimulator, type SimulatorOptions } from '../../simulator/wechat-simulator.js';
import { AppModule } from '../../src/app.module.js';
import { configureApp, createAdapter } from '../../src/app.setup.js';
import { Clock } from '../../src/common/clock.js';
import { HubLogger } from '../../src/common/hub-logger.js';
import { parseConfig } from '../../src/config/app-config.js';
import { createTestDatabase, type DatabaseKind, type TestDatabase } from './databases.js';
import { FakeClock } from './fake-clock.js';
import { COMPONENT, hubEnvironment } from './fake-settings.js';
import { HubClient } from './hub-client.js';
import { writeTestLog } from './test-logs.js';

export interface TestAppOptions {
  database: DatabaseKind | TestDatabase;
  /** Variables over those of {@link hubEnvironment}. */
  env?: Record<string, string>;
  clock?: Clock;
  simulator?: SimulatorOptions;
}

/** A hub in this process with its timers off, real HTTP, a real database and a fake WeChat. */
export interface TestApp {
  app: NestFastifyApplication;
  hub: HubClient;
  simulator: WechatSimulator;
  clock: FakeClock;
  database: TestDatabase;
  close(): Promise<void>;
}

/** Starts a hub and its simulator; the simulator shares the clock and pushes to the hub. */
export async function createTestApp(options: TestAppOptions): Promise<TestApp> {
  const database =
    typeof options.database === 'string'
      ? await createTestDatabase(options.database)
      : options.database;
  const clock = (options.clock ?? new FakeClock()) as FakeClock;
  const simulator = await WechatSimulator.start({
    components: [COMPONENT],
    now: () => clock.now(),
    ...options.simulator,
  });
  const app = await startHub(database, simulator, clock, options.env ?? {});
  const url = await app.getUrl();
  for (const { appid } of simulator.state().components) {
    simulator.updateComponent(appid, { pushUrl: `${url}/callback/${appid}/events` });
  }
  const ownDatabase = typeof options.database === 'string';
  return {
    app,
    hub: new HubClient(url),
    simulator,
    clock,
    database,
    close: async () => {
      await app.close();
      await simulator.stop();
      if (ownDatabase) await database.drop();
    },
  };
}

async function startHub(
  database: TestDatabase,
  simulator: WechatSimulator,
  clock: Clock,
  env: Record<string, string>,
): Promise<NestFastifyApplication> {
  const config = parseConfig(
    hubEnvironment({ DATABASE_URL: database.url, WECHAT_API_BASE_URL: simulator.url, ...env }),
  );
  const module = await Test.createTestingModule({
    imports: [AppModule.register(config, { timers: false })],
  })
    .overrideProvider(Clock)
    .useValue(clock)
    .setLogger(new HubLogger('debug', writeTestLog))
    .compile();
  const adapter = createAdapter(config.trustedProxies, config.gateway.hosts);
  const app = module.createNestApplication<NestFastifyApplication>(adapter, {
    bodyParser: false,
    logger: new HubLogger('debug', writeTestLog),
  });
  configureApp(app, { farewellMs: 0 });
  await app.listen(0, '127.0.0.1');
  return app;
}
