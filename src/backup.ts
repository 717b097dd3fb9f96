import { parseArgs } from 'node:util';
import { writeBackup } from './backup/backup-file.js';
import { refuseNewDatabase, runCommand } from './command.js';
import { CommandError } from './common/command-error.js';

const USAGE = 'Usage: npm run backup -- FILE [--overwrite]';

await runCommand('The backup did not finish; there is no file of it', (config) => {
  const { file, overwrite } = given();
  if (config.database.type === 'mysql') {
    throw new CommandError('On MySQL use mysqldump or mariadb-dump, as docs/backup.md says');
  }
  refuseNewDatabase(config);
  const { madeAt, masterKeys, bytes } = writeBackup(config.database.path, file, { overwrite });
  const keys = masterKeys.length > 0 ? masterKeys.join(', ') : 'none';
  process.stdout.write(
    `${file}: ${config.database.path} as of ${madeAt}, ${bytes} bytes\n` +
      `Master keys that it needs, and does not contain: ${keys}\n`,
  );
});

function given(): { file: string; overwrite: boolean } {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { overwrite: { type: 'boolean', default: false } },
    });
    const [file, ...others] = positionals;
    if (file !== undefined && others.length === 0) return { file, ...values };
  } catch {
    // Said below.
  }
  throw new CommandError(USAGE);
}
