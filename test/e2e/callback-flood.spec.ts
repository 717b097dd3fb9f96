import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hiddenNesting, longEncrypt, nested } from '../support/callback-hostile.js';
import { rawRequest, type RawRequest } from '../support/http-exchange.js';
import { expectRefusal } from '../support/callback-state.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const MEBIBYTE = 1024 * 1024;

/** What many requests at once took of the event loop, which hub and test share. */
interface FloodCost {
  /** Time that the loop was busy, in milliseconds. */
  busyMs: number;
  /** Longest time that nothing else could run, in milliseconds. */
  longestMs: number;
  answers: Answer[];
}

/** Sends a request many times at once. */
async function flood(url: string, request: RawRequest, times: number): Promise<FloodCost> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const before = performance.eventLoopUtilization();
  const answers = await Promise.all(Array.from({ length: times }, () => rawRequest(url, request)));
  const { active } = performance.eventLoopUtilization(before);
  delay.disable();
  return { busyMs: active, longestMs: delay.max / 1e6, answers };
}

/** The smallest cost of some floods: what else the machine does only ever adds to it. */
async function cheapestFlood(run: () => Promise<FloodCost>, tries = 2): Promise<FloodCost> {
  const costs: FloodCost[] = [];
  for (let index = 0; index < tries; index += 1) costs.push(await run());
  return costs.reduce((best, cost) => (cost.busyMs < best.busyMs ? cost : best));
}

/** Documents of up to 1 MiB, each dear to a full XML parser in another way. */
const HOSTILE_ENVELOPES: [string, Buffer][] = [
  ['deep nesting', Buffer.from(nested(149_000))],
  ['nesting behind an attribute', Buffer.from(hiddenNesting(100_000))],
  ['many elements', filled('<xml>', '<a>1</a>', '</xml>')],
  ['many empty elements', filled('<xml>', '<a/>', '</xml>')],
  ['4900 fields within fields', filled('<xml>', `<a><b>${'x'.repeat(199)}</b></a>`, '</xml>')],
  [
    '10 000 attributes',
    filled('<xml><a ', (index) => `b${index}="${'x'.repeat(92)}" `, '/></xml>'),
  ],
  ['an attribute of 1 MiB', filled('<xml a="', 'x', '"><a>1</a></xml>')],
  ['a name of 1 MiB', filled('<xml><', 'n', '/></xml>')],
  ['a root of a long name', filled('<', 'n', '>')],
  ['many names', filled('<xml>', (index) => `<a${index}>${'x'.repeat(200)}</a${index}>`, '</xml>')],
  ['many entities', filled('<xml><Encrypt>', `&amp;${'x'.repeat(100)}`, '</Encrypt></xml>')],
  ['text between entities', filled('<xml>', `&lt;${'x'.repeat(100)}`, '</xml>')],
  ['sections of CDATA', filled('<xml><a>', `<![CDATA[${'x'.repeat(100)}]]>`, '</a></xml>')],
  ['comments', filled('<xml>', `<!--${'x'.repeat(110)}-->`, '</xml>')],
  ['instructions', filled('', `<?a ${'x'.repeat(110)}?>`, '<xml/>')],
  ['white space', filled('<xml>', ' ', '</xml>x')],
  ['white space before the root', filled('', '\n', 'x')],
];

/** As many units as fit into 1 MiB. */
function filled(start: string, unit: string | ((index: number) => string), end: string): Buffer {
  const parts = [start];
  let left = MEBIBYTE - start.length - end.length;
  for (let index = 0; ; index += 1) {
    const part = typeof unit === 'string' ? unit : unit(index);
    left -= part.length;
    if (left < 0) return Buffer.from([...parts, end].join(''));
    parts.push(part);
  }
}

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
