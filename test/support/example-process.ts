import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { writeTestLog } from './test-logs.js';

const EXAMPLES = join(import.meta.dirname, '../../examples');
const START_LIMIT_MS = 20_000;

/** A service of `examples/` and what it is run by. */
export interface Example {
  name: string;
  command: string;
  file: string;
}

export const EXAMPLE_SERVICES: readonly Example[] = [
  { name: 'Node.js', command: process.execPath, file: join(EXAMPLES, 'node/server.mjs') },
  { name: 'Python', command: 'python3', file: join(EXAMPLES, 'python/server.py') },
];

/** Whether this machine has what an example is run by. */
export function canRun({ command }: Example): boolean {
  return spawnSync(command, ['--version']).status === 0;
}

/** An example as a process of its own, as its README runs it. */
export class ExampleProcess {
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
export async function runExampleToEnd(
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
