import cluster, { type Worker } from 'node:cluster';
import { Logger } from '@nestjs/common';
import { HubLogger } from './common/hub-logger.js';
import { STOP_LIMIT_MS } from './common/stopping.js';
import type { AppConfig } from './config/app-config.js';
import { answerWorkers } from './metrics/worker-metrics.js';

/** Wait before a dead worker is started again, in milliseconds; doubled at each further death. */
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
/** A worker that lived for so long dies for the first time again, in milliseconds. */
const STABLE_MS = 60_000;
/** A worker ends itself before the primary ends it, in milliseconds. */
const GRACE_MS = 300;

/**
 * Keeps `config.workers` processes, each a hub, that share one port: the primary listens and hands
 * every connection to the next one. The first worker starts alone, migrates, and ends the primary
 * with its own exit code when it cannot start; from then on a worker that dies is started again.
 * Workers whose primary is gone end (node:cluster).
 */
export function lead(config: AppConfig): void {
  const logger = new HubLogger(config.logLevel);
  Logger.overrideLogger(logger);
  new Primary(config.workers, config.stopDelaySeconds * 1000).begin();
}

class Primary {
  private readonly logger = new Logger('Primary');
  private readonly running = new Set<Worker>();
  private stopping = false;
  private exitCode = 0;

  constructor(
    private readonly count: number,
    private readonly stopDelayMs: number,
  ) {}

  begin(): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => this.stop(signal));
    }
    answerWorkers();
    const first = this.fork(1);
    const endWithIt = (code: number | null, signal: string | null): void => {
      if (this.stopping) return this.leave(code, signal);
      // One that ends by itself has said why.
      if (signal) this.logger.error('The first worker was killed as it started', { signal });
      process.exit(code ?? 1);
    };
    first.once('exit', endWithIt);
    first.once('listening', () => {
      first.off('exit', endWithIt);
      this.keep(first, 1, 0);
      for (let number = 2; number <= this.count && !this.stopping; number += 1) {
        this.keep(this.fork(number), number, 0);
      }
    });
  }

  private fork(number: number): Worker {
    cluster.setupPrimary({ args: [String(number)] });
    const worker = cluster.fork();
    this.running.add(worker);
    worker.on('error', (error) => {
      this.logger.error('A worker could not be started, or be spoken to', error);
      // Of one that could not be started Node says nothing more: it has died.
      if (worker.process.pid === undefined) worker.process.emit('exit', 1, null);
    });
    worker.once('exit', () => this.running.delete(worker));
    return worker;
  }

  /** Starts a worker again whenever it dies. @param deaths how often in a row it did. */
  private keep(worker: Worker, number: number, deaths: number): void {
    const startedAt = performance.now();
    worker.once('exit', (code: number | null, signal: string | null) => {
      if (this.stopping) return this.leave(code, signal);
      const before = performance.now() - startedAt < STABLE_MS ? deaths : 0;
      const waitMs = Math.min(FIRST_WAIT_MS * 2 ** before, LONGEST_WAIT_MS);
      this.logger.error('A worker has died', {
        number,
        pid: worker.process.pid,
        code,
        signal,
        waitMs,
      });
      this.startLater(number, before + 1, waitMs);
    });
  }

  private startLater(number: number, deaths: number, waitMs: number): void {
    setTimeout(() => {
      if (this.stopping) return;
      try {
        this.keep(this.fork(number), number, deaths);
      } catch (error) {
        this.logger.error('A worker could not be started', error);
        this.startLater(number, deaths, LONGEST_WAIT_MS);
      }
    }, waitMs);
  }

  /** Hands each signal on: a second one ends `STOP_DELAY_SECONDS` of the workers, too. */
  private stop(signal: NodeJS.Signals): void {
    for (const worker of this.running) worker.process.kill(signal);
    if (this.stopping) return;
    this.stopping = true;
    this.logger.log('Stopping', { signal, workers: this.running.size });
    if (this.running.size === 0) process.exit(0);
    setTimeout(
      () => {
        this.logger.error('Stopping took too long');
        for (const worker of this.running) worker.process.kill('SIGKILL');
        process.exit(1);
      },
      this.stopDelayMs + STOP_LIMIT_MS + GRACE_MS,
    );
  }

  /** A worker that the signal met before it could listen to signals has ended as it should. */
  private leave(code: number | null, signal: string | null): void {
    if (code !== 0 && signal !== 'SIGTERM' && signal !== 'SIGINT') this.exitCode = 1;
    if (this.running.size === 0) process.exit(this.exitCode);
  }
}
