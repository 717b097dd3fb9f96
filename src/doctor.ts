import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { DataSource } from 'typeorm';
import { keepFilesPrivate } from './common/file-modes.js';
import { within } from './common/time-limit.js';
import { exitCodeOf, linesOf } from './doctor/doctor-report.js';
import type { DoctorView } from './doctor/doctor.views.js';
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
async function examine(reach: 'out' | 'asked'): Promise<DoctorView> {
  // Only now: who asks how it is used need not wait for a thousand modules.
  const { NestFactory } = await import('@nestjs/core');
  const { getDataSourceToken } = await import('@nestjs/typeorm');
  const { inspectConfig } = await import('./config/load-config.js');
  const { AppModule } = await import('./app.module.js');
  const { createAdapter } = await import('./app.setup.js');
  const { DoctorService } = await import('./doctor/doctor.service.js');
  const { config, problems } = inspectConfig();
  const surroundings = new Surroundings(problems);
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

keepFilesPrivate();
try {
  // Connections of checks that are late keep nobody waiting.
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`, () => process.exit(1));
}
