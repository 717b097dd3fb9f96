import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { HubClient } from './hub-client.js';
import { writeTestLog } from './test-logs.js';

/** The hub as it ships, of the last `npm run build`. */
export const HUB_MAIN = join(import.meta.dirname, '../../dist/main.js');
const START_LIMIT_MS = 20_000;

/** A hub as a process of its own, as in production but for Node's flags. */
export class HubProcess {
  private constructor(
    readonly child: ChildProcess,
    readonly hub: HubClient,
    private readonly exited: Promise<unknown[]>,
  ) {}

  /**
   * Starts one; resolves when it listens.
   *
   * @param limitMs many that start at once take longer.
   * @param main the file that is run, for a hub of another version.
   */
  static async start(
    env: Record<string, string>,
    limitMs = START_LIMIT_MS,
    main = HUB_MAIN,
  ): Promise<HubProcess> {
    const { child, exited } = spawnHub(env, main);
    const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
    const url = await Promise.race([listeningUrl(child), failure(child, exited)]).finally(() =>
      clearTimeout(limit),
    );
    return new HubProcess(child, new HubClient(url), exited);
  }

  /** Ends it as a crash would; resolves when it is gone. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Ends it as an orchestrator does; resolves with its exit code. */
  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    await this.exited;
    return this.child.exitCode;
  }
}

function spawnHub(
  env: Record<string, string>,
  main: string,
): {
  child: ChildProcess;
  exited: Promise<unknown[]>;
} {
  const child = spawn(process.execPath, [main], {
    // A folder without .env: nothing but `env` counts.
    cwd: import.meta.dirname,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout?.on('data', (chunk: Buffer) => writeTestLog(chunk.toString('utf8')));
  child.stderr?.on('data', (chunk: Buffer) => writeTestLog(chunk.toString('utf8')));
  return { child, exited: once(child, 'exit') };
}

async function listeningUrl(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('No stdout');
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.includes('"message":"Listening"')) continue;
    // Keep reading: a full pipe would stop the hub.
    child.stdout.resume();
    return (JSON.parse(line) as { url: string }).url;
  }
  // The waiter for that reports its end, with what it wrote to stderr.
  return new Promise<never>(() => undefined);
}

async function failure(child: ChildProcess, exited: Promise<unknown[]>): Promise<never> {
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  await exited;
  throw new Error(`The hub did not start: ${stderr}`);
}
