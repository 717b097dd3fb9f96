import { parseArgs } from 'node:util';
import {
  markDatabase,
  masterKeysOf,
  placeBackup,
  readBackup,
  refuseOtherKeys,
} from './backup/backup-file.js';
import type { CopyMark } from './backup/copy-mark.js';
import { markMysql } from './backup/marked-mysql.js';
import { databaseName, refuseNewDatabase, runCommand } from './command.js';
import { CommandError } from './common/command-error.js';
import type { AppConfig } from './config/app-config.js';
import { resolveMasterKeys } from './secrets/master-keys.js';
import { SecretBox } from './secrets/secret-box.js';

const USAGE =
  'Usage: npm run restore -- FILE [--overwrite]\n' +
  '       npm run restore:mark   for a database that was restored by other means';

await runCommand('The restore did not finish; the database is as it was', async (config) => {
  const { mark, file, overwrite } = given();
  const { database } = config;
  if (mark) return said(config, await markRestored(config));
  if (database.type === 'mysql') {
    throw new CommandError(
      'On MySQL load the dump as docs/backup.md says, then "npm run restore:mark"',
    );
  }
  const copy = await readBackup(file);
  refuseOtherKeys(file, copy, await boxOf(config, copy.masterKeys));
  const kept = placeBackup(file, database.path, { overwrite, now: new Date() });
  if (kept.length > 0) process.stdout.write(`What was there is kept as ${kept.join(', ')}\n`);
  said(config, copy);
});

async function markRestored(config: AppConfig): Promise<CopyMark> {
  const { database } = config;
  if (database.type === 'mysql') return markMysql(config, await boxOf(config, []));
  refuseNewDatabase(config);
  return markDatabase(database.path, await boxOf(config, masterKeysOf(database.path)));
}

async function boxOf(config: AppConfig, needed: string[]): Promise<SecretBox> {
  return new SecretBox(await resolveMasterKeys(config, async () => needed[0]));
}

function said(config: AppConfig, { madeAt }: CopyMark): void {
  process.stdout.write(
    `${databaseName(config)} is marked as a copy of ${madeAt}. Start the hub: it holds pending ` +
      'deliveries, ends sessions and compares the accounts with WeChat. See docs/backup.md\n',
  );
}

function given(): { mark: boolean; file: string; overwrite: boolean } {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        overwrite: { type: 'boolean', default: false },
        mark: { type: 'boolean', default: false },
      },
    });
    const [file = '', ...others] = positionals;
    if (others.length === 0 && (file !== '') !== values.mark) return { file, ...values };
  } catch {
    // Said below.
  }
  throw new CommandError(USAGE);
}
