import { afterEach, beforeEach } from 'vitest';
import { createTestDatabase, type DatabaseKind, type TestDatabase } from './databases.js';
import { FakeClock } from './fake-clock.js';
import { createTestApp, type TestApp } from './test-app.js';
import { SECOND } from './token-world.js';

/** A hub that is new for each test of a file, and may start again on the same database. */
export class RestartableHub {
  test!: TestApp;
  private database!: TestDatabase;
  private clock!: FakeClock;

  async begin(kind: DatabaseKind): Promise<void> {
    this.database = await createTestDatabase(kind);
    this.clock = new FakeClock();
    const { database, clock } = this;
    this.test = await createTestApp({ database, clock });
  }

  /** Starts the hub again a second later, with nothing in memory. */
  async restart(env: Record<string, string> = {}): Promise<TestApp> {
    await this.test.close();
    this.clock.advance(SECOND);
    const { database, clock } = this;
    this.test = await createTestApp({ database, clock, env });
    return this.test;
  }

  async end(): Promise<void> {
    await this.test.close();
    await this.database.drop();
  }
}

/** Begins one before each test, and ends it afterwards. */
export function useRestartableHub(kind: DatabaseKind): RestartableHub {
  const hub = new RestartableHub();
  beforeEach(() => hub.begin(kind));
  afterEach(() => hub.end());
  return hub;
}
