import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

describe.each(databaseKinds())('the main job on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
  });
  afterAll(() => test.close());

  it('turns an encrypted ticket push into a token that WeChat accepts', async () => {
    const pushed = await test.simulator.pushTicket(COMPONENT.appid);
    expect(pushed).toMatchObject({ status: 200, body: 'success' });
    const ticket = await test.hub.ticket();
    expect(ticket.json.componentVerifyTicket).toBe(pushed.ticket);
    const token = await test.hub.accessToken();
    expect(token.status).toBe(200);
    expect(token.json.component_access_token).toBe(
      test.simulator.currentToken(COMPONENT.appid)?.value,
    );
  });
});
