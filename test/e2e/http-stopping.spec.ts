import { describe, expect, it } from 'vitest';
import { expectRefusal } from '../support/callback-state.js';
import { createTestDatabase, databaseKinds } from '../support/databases.js';
import { hubEnvironment } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { HubProcess } from '../support/hub-process.js';

describe.each(databaseKinds())('a hub that stops on %s', (kind) => {
  it('refuses requests that are on their way in the form that all errors have', async () => {
    const database = await createTestDatabase(kind);
    const host = await HubProcess.start(
      hubEnvironment({ DATABASE_URL: database.url, WECHAT_API_BASE_URL: 'http://127.0.0.1:9' }),
    );
    try {
      expect((await host.hub.get('/health/live')).status).toBe(200);
      const stopped = host.stop();
      const refusal = await firstRefusal(() => host.hub.get('/health/live'));
      expectRefusal(refusal, { status: 503, code: 'stopping' });
      expect(refusal.headers.get('connection')).toBe('close');
      expect(await stopped).toBe(0);
    } finally {
      await host.kill();
      await database.drop();
    }
  });
});

/** The first answer that is not 200; where the hub is gone before it gives one, the test fails. */
async function firstRefusal(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (answer.status !== 200) return answer;
  }
}
