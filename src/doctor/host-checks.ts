import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import { modeOf } from '../common/file-modes.js';
import { fileErrorCode, fileProblem, type FileUse } from '../common/file-problem.js';
import { remarkIn } from '../common/remarks.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { freeBytes } from '../database/database-facts.js';
import { finding, type Finding } from './findings.js';
import { Surroundings } from './surroundings.js';
import { diskVerdict, filesVerdict, type FileFacts } from './verdicts.js';

/** Different characters of a token that somebody has made up; of 48 hexadecimal ones there are more. */
const LEAST_CHARACTERS = 10;

/** What this machine shows: settings, files, disk. */
@Injectable()
export class HostChecks {
  constructor(
    @Inject(APP_CONFIG) private readonly config: AppConfig,
    private readonly surroundings: Surroundings,
  ) {}

  settings(): Finding {
    const { settings: invalid } = this.surroundings;
    if (invalid.length > 0) return finding('settings_invalid', { count: invalid.length }, invalid);
    // Of the mode of `.env` the check of the files speaks.
    const warnings = this.config.warnings.filter(
      (one) => remarkIn(one)?.code !== 'setting_file_mode',
    );
    const count = warnings.length;
    return count > 0 ? finding('settings_doubtful', { count }, warnings) : finding('settings_ok');
  }

  files(): Finding {
    const { files, database, masterKeys } = this.config;
    const found = files.map(({ path }) => factsOf(path, 'read', constants.R_OK));
    if (database.type === 'mysql' || this.surroundings.isDatabaseUnnamed)
      return filesVerdict(found);
    const folder = dirname(database.path);
    const [both, all] = [constants.R_OK | constants.W_OK, constants.W_OK | constants.X_OK];
    // Of what is not there the other checks speak.
    if (existsSync(folder)) found.push({ ...factsOf(folder, 'written', all), mode: undefined });
    if (existsSync(database.path)) found.push(factsOf(database.path, 'opened', both));
    const keyFile = join(folder, 'master.key');
    if (!masterKeys && existsSync(keyFile)) found.push(factsOf(keyFile, 'read', constants.R_OK));
    return filesVerdict(found);
  }

  adminToken(): Finding {
    const token = this.config.adminToken?.reveal();
    if (token === undefined) return finding('admin_token_made');
    const count = new Set(token).size;
    return count < LEAST_CHARACTERS
      ? finding('admin_token_weak', { count })
      : finding('admin_token_ok');
  }

  disk(): Finding {
    const { database } = this.config;
    if (this.surroundings.isDatabaseUnnamed) return finding('no_database');
    if (database.type === 'mysql') return finding('disk_elsewhere');
    try {
      return diskVerdict(freeBytes(database.path));
    } catch (error) {
      if (fileErrorCode(error) === '') throw error;
      return finding('no_database');
    }
  }
}

function factsOf(path: string, use: FileUse, access: number): FileFacts {
  try {
    accessSync(path, access);
    return { path, mode: modeOf(path), folderMode: modeOf(dirname(path)) };
  } catch (error) {
    if (fileErrorCode(error) === '') throw error;
    return { path, problem: fileProblem(path, use, error) };
  }
}
