import type { INestApplicationContext } from '@nestjs/common';
import { printable } from '../common/printable.js';
import { ComponentService } from '../component/component.service.js';
import { componentFields } from '../config/variables.js';
import { AccountImportService, type Outcome } from './account-import.service.js';
import { checkRows, type BroughtAccount } from './brought-accounts.js';
import type { ImportArguments } from './import-arguments.js';
import type { Brought, BroughtPlatform } from './mysql-accounts.js';

/** Time between two lines about the progress, in milliseconds. */
const PROGRESS_MS = 5000;

/** One run of the command, with all that it says. */
export class ImportRun {
  private readonly counts = { verified: 0, verified_before: 0, failed: 0, not_tried: 0 };
  private saidAt = performance.now();
  private total = 0;
  private stopped = false;
  /** Why accounts of platforms were not tried. */
  private readonly left = new Map<string, string>();

  constructor(
    private readonly app: INestApplicationContext,
    private readonly given: ImportArguments,
  ) {}

  async work({ platforms, rows }: Brought): Promise<void> {
    const { accounts, problems } = checkRows(rows);
    for (const { place, account, problem } of problems) say(`${account} (${place}): ${problem}`);
    if (problems.length > 0) process.exitCode = 1;
    const known = await this.platforms(platforms);
    const byPlatform = new Map<string, BroughtAccount[]>();
    for (const account of accounts) {
      const { componentAppId } = account;
      const all = byPlatform.get(componentAppId);
      if (all) all.push(account);
      else byPlatform.set(componentAppId, [account]);
    }
    this.total = accounts.length;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => (this.stopped = true));
    }
    for (const [appid, all] of byPlatform) {
      if (!known.has(appid)) this.unknown(appid, all);
      else if (this.given.apply) await this.apply(all);
      else await this.plan(appid, all);
    }
    this.sum(problems.length);
  }

  /** Registers those that the hub does not know; all that there are then, or would be. */
  private async platforms(brought: BroughtPlatform[]): Promise<Set<string>> {
    const components = this.app.get(ComponentService, { strict: false });
    const known = new Set((await components.list()).map(({ appid }) => appid));
    for (const { componentAppId, name, ...secrets } of brought) {
      if (known.has(componentAppId)) continue;
      const wrong = Object.entries(secrets).filter(
        ([field, value]) =>
          !componentFields[field as keyof typeof secrets].safeParse(value).success,
      );
      if (wrong.length > 0 || !componentFields.appid.safeParse(componentAppId).success) {
        const fields = wrong.map(([field]) => field).join(', ') || 'the appid';
        say(`platform ${componentAppId.slice(0, 64)}: not registered, wrong: ${fields}`);
        process.exitCode = 1;
        continue;
      }
      known.add(componentAppId);
      if (this.given.apply) await components.add(componentAppId, { ...secrets, name });
      say(`platform ${componentAppId}: ${this.given.apply ? 'registered' : 'to be registered'}`);
    }
    return known;
  }

  private async plan(appid: string, accounts: BroughtAccount[]): Promise<void> {
    const service = this.app.get(AccountImportService, { strict: false });
    const { add, verify, verified, ...stopped } = await service.plan(accounts);
    const others = Object.values(stopped).reduce((sum, count) => sum + count, 0);
    say(
      `${appid}: ${add} to be added, ${verify} known without a token, ${verified} with one, ` +
        `${others} stopped by WeChat; ${add + verify} refreshes`,
    );
  }

  private async apply(accounts: BroughtAccount[]): Promise<void> {
    await this.app.get(AccountImportService, { strict: false }).run(accounts, {
      source: this.given.source,
      concurrency: this.given.concurrency,
      stopped: () => this.stopped,
      onOutcome: (outcome) => this.note(outcome),
    });
  }

  private unknown(appid: string, accounts: BroughtAccount[]): void {
    say(`${appid}: the hub has no such platform; ${accounts.length} accounts are left`);
    this.counts.not_tried += accounts.length;
    process.exitCode = 1;
  }

  private note({ account, result, code, message }: Outcome): void {
    this.counts[result] += 1;
    const { componentAppId, authorizerAppId } = account;
    if (result === 'failed') say(`${componentAppId}/${authorizerAppId}: ${code}: ${message}`);
    // Once for all of them, which would fail likewise.
    if (result === 'not_tried') this.left.set(componentAppId, `${code}: ${message}`);
    if (result === 'failed' || result === 'not_tried') process.exitCode = 1;
    if (performance.now() - this.saidAt < PROGRESS_MS) return;
    this.saidAt = performance.now();
    const done = Object.values(this.counts).reduce((sum, count) => sum + count, 0);
    process.stderr.write(`${done} of ${this.total}\n`);
  }

  private sum(problems: number): void {
    const { verified, verified_before: before, failed, not_tried: left } = this.counts;
    if (!this.given.apply) {
      return say(`Nothing was changed. ${this.total} accounts, ${problems} rows that are none`);
    }
    for (const [appid, why] of this.left) say(`${appid}: accounts were not tried: ${why}`);
    say(
      `${verified} verified, ${before} verified before, ${failed} failed, ${left} not tried, ` +
        `${problems} rows that are no accounts`,
    );
  }
}

function say(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}
