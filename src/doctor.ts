import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { AppModule } from './app.module.js';
import { createAdapter } from './app.setup.js';
import { within } from './common/time-limit.js';
import { inspectConfig } from './config/load-config.js';
import { DoctorService } from './doctor/doctor.service.js';
import type { DoctorCheckView, DoctorView } from './doctor/doctor.views.js';
import { Surroundings } from './doctor/surroundings.js';

const USAGE = `Checks settings, database, keys, the way to WeChat and from outside, platforms and deliveries.
  --ask   also call WeChat with the platforms' credentials, and push through PUBLIC_URL
  --json  the answer of GET /admin/doctor
Exit code: 0 all is well, 1 something failed, 2 warnings only, 64 unknown option.
`;
/** Longest that all of it may take, in milliseconds. */
const LIMIT_MS = 30_000;
/** Longest that it waits for connections to close, in milliseconds. */
const CLOSE_LIMIT_MS = 1000;
const MARKS = { ok: '✓', warning: '!', failure: '✗', skipped: '–' };
/** Of terminals (ECMA-48). */
const COLOURS = { ok: 32, warning: 33, failure: 31, skipped: 2 };

async function examine(reach: 'out' | 'asked'): Promise<DoctorView> {
  const { config, problems } = inspectConfig();
  const surroundings = new Surroundings();
  surroundings.isCommand = true;
  surroundings.settings = problems.map(({ line }) => line.trim());
  const isBroken = (wanted: string): boolean =>
    problems.some(({ name }) => name === undefined || name === wanted);
  surroundings.isDatabaseUnnamed = isBroken('DATABASE_URL');
  if (surroundings.isDatabaseUnnamed) surroundings.database = 'the settings do not say which it is';
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.unchanged(config, surroundings),
    createAdapter(),
    { abortOnError: false, logger: false },
  );
  try {
    return await app.get(DoctorService).examine(reach);
  } finally {
    const dataSource = app.get<DataSource>(getDataSourceToken());
    if (dataSource.isInitialized)
      await within(CLOSE_LIMIT_MS, dataSource.destroy(), () => undefined);
  }
}

/** One line for each check, those for details below it. */
function linesOf(check: DoctorCheckView, colours: boolean): string {
  const { id, componentAppId, status, seen, remedy, docs, details } = check;
  const coloured = colours ? `\x1b[${COLOURS[status]}m${MARKS[status]}\x1b[0m` : MARKS[status];
  const place = componentAppId === null ? id : `${id} ${componentAppId}`;
  const toDo = remedy === null ? '' : ` → ${remedy} [${docs}]`;
  return [`${coloured} ${place}: ${seen}${toDo}`, ...details.map((line) => `    ${line}`)].join(
    '\n',
  );
}

function exitCodeOf({ checks }: DoctorView): number {
  const has = (status: string): boolean => checks.some((check) => check.status === status);
  if (has('failure')) return 1;
  return has('warning') ? 2 : 0;
}

async function main(options: string[]): Promise<number> {
  const unknown = options.find((option) => !['--ask', '--json'].includes(option));
  if (unknown !== undefined) {
    process.stdout.write(USAGE);
    return unknown === '--help' ? 0 : 64;
  }
  const view = await within(LIMIT_MS, examine(options.includes('--ask') ? 'asked' : 'out'), () => {
    throw new Error(`The checks were not over within ${LIMIT_MS / 1000} s`);
  });
  const colours = process.stdout.isTTY && process.stdout.hasColors();
  const text = options.includes('--json')
    ? JSON.stringify(view, null, 2)
    : view.checks.map((check) => linesOf(check, colours)).join('\n');
  await new Promise((written) => process.stdout.write(`${text}\n`, written));
  return exitCodeOf(view);
}

// As in the hub: what is made here, its user alone reads.
process.umask(0o077);
try {
  // Connections of checks that are late keep nobody waiting.
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`, () => process.exit(1));
}
