import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  cheapestFlood,
  flood,
  HOSTILE_ENVELOPES,
  type FloodCost,
} from '../support/callback-flood.js';
import { longEncrypt } from '../support/callback-hostile.js';
import { expectRefusal } from '../support/callback-state.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const MEBIBYTE = 1024 * 1024;
const AT_ONCE = 30;
/** Longest that nothing else may run; measured: 5 to 60 ms. */
const LONGEST_MS = 400;
/** How much dearer than a plain body one may be; measured: 0.4 to 1.5, with a full parser 20. */
const RATIO = 2.5;

// On one database: nothing that is refused here gets near it.
describe('30 unverified bodies of 1 MiB at once', () => {
  let test: TestApp;
  let plain: FloodCost;
  beforeAll(async () => {
    test = await createTestApp({ database: 'sqlite' });
    await send(Buffer.from(longEncrypt(MEBIBYTE)));
    plain = await cheapestFlood(() => send(Buffer.from(longEncrypt(MEBIBYTE))));
  });
  afterAll(() => test.close());

  function send(body: Buffer): Promise<FloodCost> {
    const { path } = test.simulator.buildTicketPush(COMPONENT.appid);
    return flood(test.hub.url, { path, body, headers: { 'content-type': 'text/xml' } }, AT_ONCE);
  }

  it.each(HOSTILE_ENVELOPES)('of %s cost about what plain ones cost', async (_, body) => {
    const { busyMs, longestMs, answers } = await cheapestFlood(() => send(body));
    for (const answer of answers) {
      expectRefusal(answer, { status: 400, code: 'xml_invalid', errcode: -40002 });
    }
    expect(longestMs).toBeLessThan(LONGEST_MS);
    expect(busyMs / plain.busyMs).toBeLessThan(RATIO);
  });
});
