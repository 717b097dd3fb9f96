import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataSourceOptions } from '../database/data-source-options.js';
import { openDataSource } from '../database/open-data-source.js';
import { placeBackup, readBackup, writeBackup } from './backup-file.js';

const NOW = new Date('2026-11-22T08:51:30.362Z');
const LOGS = ['-wal', '-shm', '-journal'];

let folder: string;
/** A database that a hub made, and its copy. */
let database: string;
let copy: string;
let count = 0;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hub-backup-file-'));
  [database, copy] = [join(folder, 'hub.sqlite'), join(folder, 'copy')];
  const config = { database: { type: 'sqlite' as const, path: database } };
  await (await openDataSource(dataSourceOptions(config))).destroy();
  writeBackup(database, copy, { overwrite: false });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A path where nothing is. */
function freePath(): string {
  const own = join(folder, String((count += 1)));
  mkdirSync(own);
  return join(own, 'file');
}

/** A file that the copy would be after some statements. */
function changed(from: string, statements: string): string {
  const file = freePath();
  copyFileSync(from, file);
  const own = new Libsql(file);
  own.exec(statements);
  own.close();
  return file;
}

/** What SQLite says of a database, and whether it is marked as a copy. */
function stateOf(path: string): unknown {
  const own = new Libsql(path);
  const marks = own.prepare("SELECT COUNT(*) AS marks FROM setting WHERE name = 'copy_of'").get();
  const state = [own.pragma('integrity_check'), marks];
  own.close();
  return state;
}
const WHOLE_COPY = [[{ integrity_check: 'ok' }], { marks: 1 }];

describe('a copy that is put into its place', () => {
  it('is not mixed with the log of a database that was there', () => {
    const source = freePath();
    const old = new Libsql(source);
    old.pragma('journal_mode = WAL');
    old.exec('CREATE TABLE other (text TEXT)');
    const row = old.prepare('INSERT INTO other VALUES (?)');
    for (let rows = 0; rows < 300; rows += 1) row.run('x'.repeat(1000));
    const log = readFileSync(`${source}-wal`);
    old.close();
    const target = freePath();
    for (const end of LOGS) writeFileSync(target + end, log);
    const kept = placeBackup(copy, target, { overwrite: false, now: NOW });
    expect(stateOf(target)).toMatchObject(WHOLE_COPY);
    expect(kept).toEqual(LOGS.map((end) => `${target}.replaced-20261122T085130362Z${end}`));
    for (const path of kept) expect(readFileSync(path).equals(log)).toBe(true);
  });

  it.each([
    ['no database', (bytes: Buffer) => bytes.fill('not a database ')],
    ['damaged', (bytes: Buffer) => bytes.fill(0x55, 100)],
    ['cut off', (bytes: Buffer) => bytes.subarray(0, 5000)],
  ])('takes the place of one that is %s, which is kept with its logs', (_, spoil) => {
    const target = freePath();
    const spoilt = spoil(readFileSync(copy));
    writeFileSync(target, spoilt);
    writeFileSync(`${target}-wal`, 'fake log');
    const [kept = '', log = ''] = placeBackup(copy, target, { overwrite: true, now: NOW });
    expect(stateOf(target)).toMatchObject(WHOLE_COPY);
    expect(readFileSync(kept).equals(spoilt)).toBe(true);
    expect([log, readFileSync(log, 'utf8')]).toEqual([`${kept}-wal`, 'fake log']);
    expect(readdirSync(join(target, '..'))).not.toContain('file.restoring');
  });
});

describe('a damaged database', () => {
  it('is not replaced while another program has it open', () => {
    const target = changed(database, 'PRAGMA journal_mode = WAL');
    const user = new Libsql(target);
    user.exec('CREATE TABLE other (text TEXT)');
    user.pragma('wal_checkpoint(TRUNCATE)');
    const file = openSync(target, 'r+');
    writeSync(file, Buffer.alloc(8000, 0x55), 0, 8000, 100);
    const place = (): unknown => placeBackup(copy, target, { overwrite: true, now: NOW });
    expect(place).toThrow('is in use');
    user.close();
    closeSync(file);
  });
});

describe('a file', () => {
  it.each(LOGS)('is neither made nor read where a %s of its name is', async (end) => {
    const file = freePath();
    writeFileSync(file + end, 'fake log');
    const why = `${file}${end} is there`;
    expect(() => writeBackup(database, file, { overwrite: false })).toThrow(why);
    copyFileSync(copy, file);
    expect(() => writeBackup(database, file, { overwrite: true })).toThrow(why);
    await expect(readBackup(file)).rejects.toThrow(why);
    expect(readFileSync(file).equals(readFileSync(copy))).toBe(true);
  });

  const endless = 'AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT';
  const marked = (mark: object): string =>
    `UPDATE setting SET value = '${JSON.stringify(mark)}' WHERE name = 'copy_of'`;
  const madeAt = NOW.toISOString();
  it.each([
    ['as it was made', 'SELECT 1', undefined],
    [
      'with a view of settings',
      `DROP TABLE setting; CREATE VIEW setting ${endless} 'x' AS name, i AS value FROM n`,
      'has views or triggers',
    ],
    [
      'with a view of migrations',
      `DROP TABLE migrations; CREATE VIEW migrations ${endless} 'x' AS name FROM n`,
      'has views or triggers',
    ],
    [
      'with a trigger',
      'CREATE TRIGGER fake AFTER DELETE ON setting BEGIN DELETE FROM component; END',
      'has views or triggers',
    ],
    [
      'with a virtual table',
      'DROP TABLE setting; CREATE VIRTUAL TABLE setting USING fts5(name, value)',
      'has views or triggers',
    ],
    ['without settings', 'DROP TABLE setting', 'was not made by'],
    ['without migrations', 'DELETE FROM migrations', 'was not made by'],
    ['without a table', 'DROP TABLE authorizer', 'lacks tables of its version: authorizer'],
    [
      'of a newer version',
      "INSERT INTO migrations (timestamp, name) VALUES (1, 'Later')",
      'was made by a newer version',
    ],
    [
      'of an earlier version, without what came since',
      `DROP TABLE host; DELETE FROM migrations WHERE timestamp >= 1764300000000`,
      undefined,
    ],
    ['with a mark', marked({ madeAt, masterKeys: ['k1', 'file-0a1b2c3d'] }), undefined],
    ['marked at no time', marked({ madeAt: '\u001b[2J', masterKeys: [] }), 'was not made by'],
    ['marked with odd keys', marked({ madeAt, masterKeys: ['\u001b[2J'] }), 'was not made by'],
  ])('%s', async (_, statements, why) => {
    const read = readBackup(changed(copy, statements));
    if (why === undefined) await expect(read).resolves.toHaveProperty('madeAt');
    else await expect(read).rejects.toThrow(why);
  });

  it('that is a folder is none', async () => {
    await expect(readBackup(folder)).rejects.toThrow(`${folder} is not a file`);
  });

  it('is not made of a database with views or triggers: it would not be restored', () => {
    const file = freePath();
    const odd = changed(database, 'CREATE VIEW fake AS SELECT 1');
    expect(() => writeBackup(odd, file, { overwrite: false })).toThrow('has views or triggers');
    expect(existsSync(file)).toBe(false);
  });
});
