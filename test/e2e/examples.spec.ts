import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/databases.js';
import { deliveries, deliveryHub, settled, subscribe } from '../support/delivery-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import { ACCOUNT } from '../support/message-pushes.js';
import type { TestApp } from '../support/test-app.js';
import { writeTestLog } from '../support/test-logs.js';

const EXAMPLES = join(import.meta.dirname, '../../examples');
const START_LIMIT_MS = 20_000;

/** A service of `examples/` and what it is run by. */
interface Example {
  name: string;
  command: string;
  file: string;
}

const EXAMPLE_SERVICES: readonly Example[] = [
  { name: 'Node.js', command: process.execPath, file: join(EXAMPLES, 'node/server.mjs') },
  { name: 'Python', command: 'python3', file: join(EXAMPLES, 'python/server.py') },
];

/** Whether this machine has what an example is run by. */
function canRun({ command }: Example): boolean {
  return spawnSync(command, ['--version']).status === 0;
}

/** An example as a process of its own, as its README runs it. */
class ExampleProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
    private readonly exited: Promise<unknown[]>,
  ) {}

  /** Starts one on any free port; resolves when it listens. */
  static async start(example: Example, secret: string): Promise<ExampleProcess> {
    const child = spawnExample(example, { WEBHOOK_SECRET: secret, PORT: '0' });
    const exited = once(child, 'exit');
    const limit = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS);
    try {
      return new ExampleProcess(child, await listeningUrl(child), exited);
    } finally {
      clearTimeout(limit);
    }
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.exited;
  }
}

/** Runs an example that is expected to end by itself. */
async function runExampleToEnd(
  example: Example,
  env: Record<string, string>,
): Promise<{ code: number | null; stderr: string }> {
  const child = spawnExample(example, { PORT: '0', ...env });
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  await once(child, 'close');
  return { code: child.exitCode, stderr };
}

function spawnExample({ command, file }: Example, env: Record<string, string>): ChildProcess {
  const child = spawn(command, [file], {
    // Nothing but the standard library: neither packages of this project nor of the user.
    env: { PATH: process.env.PATH, PYTHONNOUSERSITE: '1', PYTHONDONTWRITEBYTECODE: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout?.on('data', (chunk: Buffer) => writeTestLog(chunk.toString('utf8')));
  child.stderr?.on('data', (chunk: Buffer) => writeTestLog(chunk.toString('utf8')));
  return child;
}

async function listeningUrl(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('No stdout');
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^Listening on (http:\S+)$/.exec(line)?.[1];
    if (url === undefined) continue;
    child.stdout.resume();
    return url;
  }
  throw new Error('The example did not start');
}

const SECRET = `whsec_${Buffer.from('fake-secret-of-the-example-tests').toString('base64')}`;
const OTHER_SECRET = `whsec_${Buffer.from('another-fake-secret-of-the-tests').toString('base64')}`;

const runnable = EXAMPLE_SERVICES.filter(canRun);

for (const { name, command } of EXAMPLE_SERVICES.filter((example) => !runnable.includes(example))) {
  it(`runs the example in ${name}`, ({ skip }) => {
    const reason = `skipped the example in ${name}: this machine has no ${command}`;
    console.log(reason);
    skip(reason);
  });
}

describe.each(databaseKinds())('on %s', (kind) => {
  let test: TestApp;
  beforeAll(async () => {
    test = await deliveryHub({ database: kind });
  });
  afterAll(() => test.close());

  describe.each([...runnable])('the example in $name', (example) => {
    let service: ExampleProcess;
    let subscription: { id: string };
    beforeAll(async () => {
      const { id, secret } = await subscribe(
        test,
        { url: 'http://127.0.0.1:9/' },
        { mode: 'responder', kinds: ['message'] },
      );
      subscription = { id };
      service = await ExampleProcess.start(example, secret);
      const changed = await test.hub.patch(`/admin/subscriptions/${id}`, { url: service.url });
      expect(changed.status).toBe(200);
    });
    afterAll(async () => {
      await service?.stop();
      await test.hub.request('DELETE', `/admin/subscriptions/${subscription.id}`);
    });

    it('answers what a user writes with a passive reply', async () => {
      const said = '你好 😀 ]]> & "quotes"';
      const result = await test.simulator.messages.send(COMPONENT.appid, ACCOUNT, {
        fields: { Content: said },
      });
      expect(result).toMatchObject({ outcome: 'reply', problem: null });
      expect(result.tries).toHaveLength(1);
      expect(result.reply?.fields).toMatchObject({
        ToUserName: result.fromUser,
        MsgType: 'text',
        Content: `You said: ${said}`,
      });
    });

    it('has nothing to say to a picture', async () => {
      const result = await test.simulator.messages.send(COMPONENT.appid, ACCOUNT, {
        msgType: 'image',
      });
      expect(result).toMatchObject({ outcome: 'success', reply: null });
      await settled(test);
      const [delivery] = await deliveries(test, { subscriptionId: subscription.id });
      expect(delivery).toMatchObject({ status: 'delivered' });
    });

    it('answers many users at once', async () => {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          test.simulator.messages.send(COMPONENT.appid, ACCOUNT, {
            fromUser: `oUser${index}`,
            fields: { Content: `from ${index}` },
          }),
        ),
      );
      const replies = results.map(({ reply }) => reply?.fields.Content);
      expect(replies).toEqual(results.map((_, index) => `You said: from ${index}`));
    });

    it("takes the hub's own sample", async () => {
      const { status, json } = await test.hub.post(`/admin/subscriptions/${subscription.id}/test`, {
        kind: 'message',
      });
      expect(status).toBe(200);
      expect(json).toMatchObject({ taken: true, status: 200, error: null, reply: true });
    });
  });
});

describe.each([...runnable])('the example in $name', (example: Example) => {
  let service: ExampleProcess;
  let ids = 0;
  let id: string;
  beforeAll(async () => {
    service = await ExampleProcess.start(example, SECRET);
  });
  afterAll(() => service?.stop());
  beforeEach(() => {
    id = `msg_${(ids += 1)}`;
  });

  const body = textPush('hello');

  /** Calls it as the hub does; `changes` replace headers, undefined leaves one out. */
  async function call(text: string, changes: Record<string, string | undefined> = {}) {
    const headers = Object.fromEntries(
      Object.entries({ ...signedBy(SECRET, id, text), ...changes }).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      ),
    );
    const response = await fetch(service.url, { method: 'POST', headers, body: text });
    return { status: response.status, text: await response.text() };
  }

  it('takes what is signed', async () => {
    const { status, text } = await call(body);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({ MsgType: 'text', Content: 'You said: hello' });
  });

  it('takes one right signature among several, as after a change of the secret', async () => {
    const { 'webhook-signature': right } = signedBy(SECRET, id, body);
    const { 'webhook-signature': wrong } = signedBy(OTHER_SECRET, id, body);
    const { status } = await call(body, { 'webhook-signature': `${wrong} v1a,x ${right}` });
    expect(status).toBe(200);
  });

  it.each([
    ['signed with another secret', () => signedBy(OTHER_SECRET, id, body)],
    ['signed for another id', () => ({ 'webhook-id': `${id}x` })],
    ['signed for another body', () => signedBy(SECRET, id, textPush('other'))],
    ['without a signature', () => ({ 'webhook-signature': undefined })],
    ['with an empty signature', () => ({ 'webhook-signature': '' })],
    ['with a signature that is none', () => ({ 'webhook-signature': 'v1,%%% v1, é' })],
    ['of another version', () => ({ 'webhook-signature': bare(id, body, 'v2,') })],
    ['without an id', () => ({ 'webhook-id': undefined })],
    ['without a timestamp', () => ({ 'webhook-timestamp': undefined })],
    ['with a timestamp that is none', () => ({ 'webhook-timestamp': '1e9' })],
    ['that is six minutes old', () => signedBy(SECRET, id, body, -360)],
    ['that is six minutes early', () => signedBy(SECRET, id, body, 360)],
  ])('refuses a push %s', async (_name, changes) => {
    expect(await call(body, changes())).toEqual({ status: 401, text: '' });
  });

  it('handles a push once, and answers it as the first time when it comes again', async () => {
    const first = await call(body);
    const later = textPush('not handled');
    expect(await call(later)).toEqual(first);
    id += '-other';
    expect((await call(later)).text).toContain('not handled');
  });

  it('does not remember what it could not handle', async () => {
    expect((await call('{"type":"message.text"}')).status).toBe(500);
    expect((await call(body)).text).toContain('hello');
  });

  it('cuts a long text short enough for WeChat, between characters', async () => {
    const { text } = await call(textPush('😀'.repeat(600)));
    const { Content } = JSON.parse(text) as { Content: string };
    expect(Content).toBe(`You said: ${'😀'.repeat(200)}`);
  });

  it('refuses a body above 1 MiB before it is there', async () => {
    const outgoing = request(service.url, { method: 'POST', headers: signedBy(SECRET, id, '') });
    outgoing.setHeader('content-length', 1024 * 1024 + 1);
    outgoing.flushHeaders();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    outgoing.on('error', () => undefined).destroy();
    expect(response.statusCode).toBe(413);
  });

  it.each(['', 'whsec_', 'whsec_c2hvcnQ=', 'whsec_x'])(
    'does not start with %j for its secret',
    async (secret) => {
      const { code, stderr } = await runExampleToEnd(example, { WEBHOOK_SECRET: secret });
      expect(code).toBe(1);
      expect(stderr).toContain('WEBHOOK_SECRET must be');
      expect(stderr.trim().split('\n')).toHaveLength(1);
    },
  );
});

function textPush(content: string): string {
  return JSON.stringify({ type: 'message.text', data: { fields: { Content: content } } });
}

/** Headers as the library of Standard Webhooks makes them; `off` is in seconds from now. */
function signedBy(secret: string, id: string, body: string, off = 0): Record<string, string> {
  const at = new Date(Date.now() + off * 1000);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  };
}

/** A right signature under another version's mark. */
function bare(id: string, body: string, mark: string): string {
  return (signedBy(SECRET, id, body)['webhook-signature'] ?? '').replace('v1,', mark);
}
