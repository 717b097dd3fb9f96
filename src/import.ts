import { readFileSync } from 'node:fs';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { refuseNewDatabase, runCommand } from './command.js';
import { CommandError } from './common/command-error.js';
import { fileProblem } from './common/file-problem.js';
import { HubLogger } from './common/hub-logger.js';
import { importUrl } from './config/import-url.js';
import { csvAccounts } from './import/csv-accounts.js';
import { importArguments, type ImportArguments } from './import/import-arguments.js';
import { ImportRun } from './import/import-run.js';
import { ImportModule } from './import/import.module.js';
import { wechatMpAccounts, wxcomponentAccounts, type Brought } from './import/mysql-accounts.js';

await runCommand('The import did not finish; run it again to go on', async (config) => {
  const given = importArguments(process.argv.slice(2));
  refuseNewDatabase(config);
  const brought = await read(given);
  const app = await NestFactory.createApplicationContext(
    ImportModule.beside(AppModule.register(config, { timers: false })),
    { abortOnError: false, logger: new HubLogger('error') },
  );
  try {
    await new ImportRun(app, given).work(brought);
  } finally {
    await app.close();
  }
});

function read({ source, file, platform }: ImportArguments): Brought | Promise<Brought> {
  if (source === 'wechat-mp') return wechatMpAccounts(importUrl());
  if (source === 'wxcomponent') return wxcomponentAccounts(importUrl(), platform);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
    return { platforms: [], rows: csvAccounts(text) };
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (error instanceof TypeError) throw new CommandError(`${file} is not UTF-8 text`);
    throw new CommandError(fileProblem(file, 'read', error));
  }
}
