import { parseArgs } from 'node:util';
import { CommandError } from '../common/command-error.js';

const USAGE = `Usage: npm run import -- SOURCE [--apply] [--concurrency N]
SOURCE  wxcomponent --platform APPID   tables of WeixinCloud/wxcloudrun-wxcomponent
        wechat-mp                      tables of chunbo007/wechat-mp
        csv FILE                       see docs/moving-in.md
The URL of the other database is in IMPORT_DATABASE_URL, or in the file that
IMPORT_DATABASE_URL_FILE names. Without --apply nothing is written, and WeChat is not called.`;
const DEFAULT_CONCURRENCY = 10;
const MOST_CONCURRENCY = 50;

/** What the command line says. */
export interface ImportArguments {
  source: string;
  file: string;
  platform: string;
  apply: boolean;
  concurrency: number;
}

/** @throws {CommandError} which explains how it is used. */
export function importArguments(args: string[]): ImportArguments {
  try {
    const { positionals, values } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        apply: { type: 'boolean', default: false },
        platform: { type: 'string', default: '' },
        concurrency: { type: 'string', default: String(DEFAULT_CONCURRENCY) },
      },
    });
    const [source = '', file = '', ...others] = positionals;
    const { apply, platform } = values;
    const concurrency = Number(values.concurrency);
    const isRight =
      others.length === 0 &&
      ['wxcomponent', 'wechat-mp', 'csv'].includes(source) &&
      (file !== '') === (source === 'csv') &&
      (platform !== '') === (source === 'wxcomponent') &&
      Number.isInteger(concurrency) &&
      concurrency >= 1 &&
      concurrency <= MOST_CONCURRENCY;
    if (isRight) return { source, file, platform, apply, concurrency };
  } catch {
    // Said below.
  }
  throw new CommandError(USAGE);
}
