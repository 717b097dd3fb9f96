import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StartedHub } from '../support/started-hub.js';
import { hubEnvironment, MASTER_KEY } from '../support/fake-settings.js';

const { HOST: _host, PORT: _port, MASTER_KEYS: _keys, ...SETTINGS } = hubEnvironment();
const SQLITE_FILE = new URL('../../dist/database/sqlite-file.js', import.meta.url).href;
/** "nobody" on every Linux. */
const NOBODY = { uid: 65534, gid: 65534 };
const RUNS = 'and the hub runs as uid 65534, gid 65534';

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('Starts as another user skipped: only root can start them');
const canMount = isRoot && triesToMount();
if (!canMount) console.log('Starts on a full and a read-only disk skipped: this user cannot mount');

function triesToMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'hub-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]).status === 0;
  if (mounted) spawnSync('umount', [folder]);
  rmSync(folder, { recursive: true });
  return mounted;
}

let folder: string;
let data: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hub-files-'));
  chmodSync(folder, 0o755);
  data = join(folder, 'data');
  mkdirSync(data, { mode: 0o755 });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A file of root's that nobody else can read. */
function rootFile(name: string, content = ''): void {
  writeFileSync(join(folder, name), content, { mode: 0o600 });
}

/** Starts a hub that cannot run; the line that it ends with, seen from the folder. */
async function refusal(user: { uid?: number; gid?: number } = {}): Promise<string> {
  const hub = await StartedHub.spawn(folder, SETTINGS, user);
  const { code, stdout, stderr } = await hub.end();
  expect(code).toBe(1);
  expect(stdout + stderr).not.toMatch(/^\s+at |"level":"(error|fatal)"/m);
  const [headline, line, ...rest] = stderr.split('\n');
  expect([headline, rest]).toEqual(['Configuration is not usable:', ['']]);
  return (line ?? '').replaceAll(folder, '').trim();
}

/** What is said of each path by a process of that user, in one process for all of them. */
function problemsFor(paths: string[], user: { uid?: number; gid?: number }): string[] {
  const script =
    `const { sqliteFileProblem } = await import('${SQLITE_FILE}');` +
    'const say = (path) => sqliteFileProblem(path)?.what ?? "usable";' +
    'console.log(JSON.stringify(process.argv.slice(1).map(say)));';
  const args = ['--input-type=module', '-e', script, '--', ...paths];
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', ...user });
  return JSON.parse(stdout.replaceAll(folder, '')) as string[];
}

describe.runIf(isRoot)('a hub of another user ends with one line that says what to do, for', () => {
  it('a data folder of root, as volumes are', async () => {
    expect(await refusal(NOBODY)).toBe(
      `DATABASE_URL: ./data cannot be written: it belongs to uid 0, gid 0, mode 755, ${RUNS}. ` +
        'Give it to that user (chown 65534:65534 /data), or run the hub as its owner',
    );
  });

  it('master.key of root', async () => {
    chownSync(data, NOBODY.uid, NOBODY.gid);
    rootFile('data/master.key', MASTER_KEY);
    expect(await refusal(NOBODY)).toContain(
      'MASTER_KEYS: the key file data/master.key cannot be read: it belongs to uid 0, gid 0, mode 600',
    );
  });

  it('.env of root', async () => {
    rootFile('.env', 'LOG_LEVEL=info\n');
    expect(await refusal(NOBODY)).toContain(
      `.env cannot be read: it belongs to uid 0, gid 0, mode 600, ${RUNS}`,
    );
  });

  it('every file and folder on the way', () => {
    mkdirSync(join(folder, 'closed/below'), { recursive: true });
    chmodSync(join(folder, 'closed'), 0o700);
    const own = join(folder, 'own');
    for (const name of ['file', 'wal', 'shm', 'fine']) {
      mkdirSync(join(own, name), { recursive: true });
      chownSync(join(own, name), NOBODY.uid, NOBODY.gid);
    }
    rootFile('own/file/x');
    rootFile('own/wal/x-wal');
    rootFile('own/shm/x-shm');
    rootFile('plain');
    const absolute = (path: string): string => join(folder, path);
    const paths = ['data/x', 'new/x', 'closed/x', 'closed/below/x', 'closed/new/x'];
    paths.push('own/file/x', 'own/wal/x', 'own/shm/x', 'own/fine', 'plain/x');
    paths.push('own/fine/x', 'own/fine/new/deep/x');
    const root = `belongs to uid 0, gid 0, mode`;
    expect(problemsFor(paths.map(absolute), NOBODY)).toEqual(
      [
        [`/data cannot be written: it ${root} 755, ${RUNS}.`],
        [`/new cannot be made: `, ` ${root} 755, ${RUNS}.`],
        [`/closed cannot be written: it ${root} 700, ${RUNS}.`],
        [`/closed/below cannot be `, `: /closed ${root} 700, ${RUNS}.`],
        [`/closed/new cannot be made: /closed ${root} 700, ${RUNS}.`],
        [`/own/file/x cannot be opened: it ${root} 600, ${RUNS}.`],
        [`/own/wal/x-wal cannot be opened: it ${root} 600, ${RUNS}.`],
        [`/own/shm/x-shm cannot be opened: it ${root} 600, ${RUNS}.`],
        ['/own cannot be written: it ', ` ${RUNS}.`],
        ['/plain cannot be made: /plain is not a folder'],
        ['usable'],
        ['usable'],
      ].map((parts) => expect.stringMatching(new RegExp(`^${parts.map(literal).join('.*')}`))),
    );
  });
});

function literal(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

describe('a hub ends with one line that says what to do, for', () => {
  it('a database that is a folder', () => {
    mkdirSync(join(data, 'hub.sqlite'));
    expect(problemsFor(['data/hub.sqlite'], {})).toEqual([
      expect.stringContaining('data/hub.sqlite cannot be opened: it is a folder'),
    ]);
  });

  it('a file that is no database', async () => {
    writeFileSync(join(data, 'hub.sqlite'), 'no database, but long enough to be one'.repeat(9));
    expect(await refusal()).toBe(
      'DATABASE_URL: ./data/hub.sqlite cannot be used: it is no SQLite database, or an encrypted ' +
        'one (SQLITE_NOTADB)',
    );
  });
});

describe.runIf(canMount)('a hub ends with one line that says what to do, on', () => {
  afterEach(() => {
    spawnSync('umount', [data]);
  });

  const mount = (options: string): void => {
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', data]).status).toBe(0);
  };

  it.each([
    ['a disk that is full', 'size=8k'],
    ['a disk that fills up', 'size=64k'],
  ])('%s', async (_, options) => {
    mount(options);
    expect(await refusal()).toMatch(/^DATABASE_URL: .*the disk is full/);
  });

  it('a read-only disk', () => {
    mount('ro');
    expect(problemsFor(['data/hub.sqlite', 'data/new/hub.sqlite'], {})).toEqual([
      expect.stringMatching(/^data cannot be written: the file system is read-only/),
      expect.stringMatching(/^data\/new cannot be made: the file system is read-only/),
    ]);
  });
});
