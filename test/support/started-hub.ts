import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { HUB_MAIN } from './hub-process.js';
import { freePort } from './mysql-server.js';

const LIMIT_MS = 20_000;
const POLL_MS = 5;

/** Everything that a hub process said until it ended. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A hub as a person starts it, with all that it says on stdout and stderr. */
export class StartedHub {
  stdout = '';
  stderr = '';
  private readonly exited: Promise<unknown[]>;

  private constructor(
    readonly child: ChildProcess,
    readonly url: string,
  ) {
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString('utf8')));
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString('utf8')));
    // Ended, and all that it said is read.
    this.exited = once(child, 'close');
  }

  /**
   * @param folder working directory: where `.env` and relative paths are looked for.
   * @param options `uid` and `gid`: who runs it, where that is not who runs the test. `main`: another
   * server that is started instead, to compare with.
   */
  static async spawn(
    folder: string,
    env: Record<string, string>,
    { main = HUB_MAIN, ...user }: { uid?: number; gid?: number; main?: string } = {},
  ): Promise<StartedHub> {
    if (!existsSync(main)) throw new Error('dist/main.js is missing: npm run build');
    const port = await freePort();
    const child = spawn(process.execPath, [main], {
      cwd: folder,
      env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: String(port), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...user,
    });
    return new StartedHub(child, `http://127.0.0.1:${port}`);
  }

  /** Waits until `/health/ready` answers 200; the milliseconds that this took. */
  async ready(): Promise<number> {
    const started = performance.now();
    while (performance.now() - started < LIMIT_MS && this.child.exitCode === null) {
      const status = await fetch(`${this.url}/health/ready`).then(
        (response) => response.status,
        () => 0,
      );
      if (status === 200) return performance.now() - started;
      await delay(POLL_MS);
    }
    this.child.kill('SIGKILL');
    throw new Error(`The hub did not become ready: ${this.stderr}`);
  }

  /** Waits for its end, after a signal where one is given. */
  async end(signal?: NodeJS.Signals): Promise<Ended> {
    if (signal) this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), LIMIT_MS);
    await this.exited;
    clearTimeout(timer);
    return { code: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }
}
