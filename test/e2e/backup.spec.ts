import { execFile, execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { HELD } from '../../src/backup/restored.service.js';
import {
  authorizeByEvent,
  authorizerTick,
  historyOf,
  newAccount,
  resyncTick,
  tokenOf,
  tokenText,
} from '../support/authorizer-world.js';
import { signIn, type ConsoleClient } from '../support/console-world.js';
import {
  createTestDatabase,
  databaseKinds,
  mysqlOnly,
  type DatabaseKind,
  type TestDatabase,
} from '../support/databases.js';
import {
  arrives,
  deliverDue,
  deliveries,
  deliveryHub,
  settled,
  subscribe,
} from '../support/delivery-world.js';
import { COMPONENT, hubEnvironment, MASTER_KEY } from '../support/fake-settings.js';
import { messagePush, sendMessage, textFields, triedAgain } from '../support/message-pushes.js';
import type { Fields, MessagePush } from '../support/message-pushes.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { HOUR, prime, SECOND, tick } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

// Each starts processes, which on a busy machine take ten times as long.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const DIST = join(import.meta.dirname, '../../dist');
const [, KEY = ''] = MASTER_KEY.split(':');
const OTHER_KEY = Buffer.from('fake-other-master-key-of-32-byte').toString('base64');
/** mariadb-dump and its client, by whichever name this machine has them. */
const DUMP = ['mariadb-dump', 'mysqldump'].find(isThere);
const CLIENT = ['mariadb', 'mysql'].find(isThere);

function isThere(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What a command ended with, and all that it wrote. */
interface Ended {
  code: number;
  text: string;
}

/** A command of the hub, as npm runs it after its build. */
function run(script: string, args: string[], env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(DIST, script), ...args],
      { cwd: import.meta.dirname, env: { PATH: process.env.PATH, ...hubEnvironment(env) } },
      (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, text: stdout + stderr }),
    );
  });
}

/** Arguments by which MySQL's programs reach a database. */
function mysqlArguments({ url }: TestDatabase): string[] {
  const { hostname, port, username, pathname } = new URL(url);
  return ['-h', hostname, '-P', port, '-u', username, pathname.slice(1)];
}

/** Copies the database that hubs use; gives what brings the copy into another, empty one. */
async function copyOf(
  source: TestDatabase,
  folder: string,
): Promise<(target: TestDatabase) => Promise<Ended>> {
  const file = join(folder, 'copy');
  if (source.kind === 'sqlite') {
    const { code, text } = await run('backup.js', [file], { DATABASE_URL: source.url });
    if (code !== 0) throw new Error(text);
    return ({ url }) => run('restore.js', [file], { DATABASE_URL: url });
  }
  // As docs/backup.md has it.
  const how = ['--single-transaction', '--hex-blob', '--no-tablespaces'];
  const dump = execFileSync(DUMP as string, [...how, ...mysqlArguments(source)]);
  expect(dump.toString('latin1').trimEnd()).toMatch(/\n-- Dump completed.*$/);
  writeFileSync(file, dump);
  return (target) => {
    execFileSync(CLIENT as string, mysqlArguments(target), { input: readFileSync(file) });
    return run('restore.js', ['--mark'], { DATABASE_URL: target.url });
  };
}

const kinds = databaseKinds().filter((kind) => kind === 'sqlite' || (DUMP && CLIENT));

describe.each(kinds)("yesterday's copy on %s", (kind: DatabaseKind) => {
  let first: TestApp;
  let hub: TestApp;
  let restored: TestDatabase;
  let folder: string;
  let receiver: WebhookReceiver;
  let fields: Fields;
  let pending: MessagePush;
  let session: ConsoleClient;
  let link: string;
  let [steady, changed, late, gone] = ['', '', '', ''];
  let oldToken: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hub-copy-'));
    receiver = await WebhookReceiver.start();
    first = await deliveryHub({ database: kind });
    await prime(first);
    [steady, changed, late, gone] = [1, 2, 3, 4].map(() => newAccount(first)) as [
      string,
      string,
      string,
      string,
    ];
    for (const account of [steady, changed, gone]) await authorizeByEvent(first, account);
    await subscribe(first, receiver);
    ({ console: session } = await signIn(first.hub));
    const links = await first.hub.post('/admin/authorizations/links', {
      componentAppId: COMPONENT.appid,
    });
    link = new URL(links.json.pc).searchParams.get('redirect_uri') ?? '';
    await arrives(first);
    await settled(first);
    receiver.answer({ status: 503 });
    fields = textFields(first);
    pending = messagePush(first, fields);
    await sendMessage(first, pending);
    await settled(first);
    oldToken = await tokenText(first, changed);
    const bringBack = await copyOf(first.database, folder);

    // What goes on without the copy: the push is delivered, accounts come, change and go.
    receiver.answer({});
    first.clock.advance(10 * SECOND);
    await deliverDue(first);
    await first.simulator.accounts.reauthorize(COMPONENT.appid, changed, {
      rotateRefreshToken: true,
      push: true,
    });
    await authorizeByEvent(first, late);
    await first.simulator.accounts.withdraw(COMPONENT.appid, gone, { push: true });
    await first.app.close();

    receiver.clear();
    first.clock.advance(HOUR);
    restored = await createTestDatabase(kind);
    const { code, text } = await bringBack(restored);
    if (code !== 0) throw new Error(text);
    const env = { WECHAT_API_BASE_URL: first.simulator.url };
    const simulator = { components: [] };
    hub = await deliveryHub({ database: restored, clock: first.clock, simulator, env });
    const pushUrl = `${hub.hub.url}/callback/${COMPONENT.appid}/events`;
    first.simulator.updateComponent(COMPONENT.appid, { pushUrl });
  });
  afterAll(async () => {
    await hub.app.close();
    await first.simulator.stop();
    await receiver.close();
    await first.database.drop();
    await restored.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('holds what was pending, and sends nothing by itself', async () => {
    const all = await deliveries(hub);
    expect(all.map(({ status }) => status).toSorted()).toEqual([
      'cancelled',
      ...Array.from({ length: all.length - 1 }, () => 'delivered'),
    ]);
    expect(all.find(({ status }) => status === 'cancelled')).toMatchObject({ lastError: HELD });
    hub.clock.advance(HOUR);
    await deliverDue(hub);
    expect(receiver.received).toEqual([]);
  });

  it('knows the pushes that WeChat repeats', async () => {
    const before = await deliveries(hub);
    const { status, text } = await sendMessage(hub, triedAgain(first, pending));
    expect([status, text]).toEqual([200, 'success']);
    await deliverDue(hub);
    expect(await deliveries(hub)).toEqual(before);
    expect(receiver.received).toEqual([]);
  });

  it('ends sessions and links, and has it in the audit trail', async () => {
    expect((await session.at(hub.hub).get('/admin/session')).status).toBe(401);
    const { pathname, search } = new URL(`${link}&auth_code=fake-code`);
    const { text } = await hub.hub.get(pathname + search);
    expect(text).toMatch(/data-result="(?!authorized)/);
    const { json } = await hub.hub.get('/admin/audit?action=database.restore');
    expect(json.records).toMatchObject([{ actor: 'system', outcome: 'ok' }]);
  });

  it('goes on with tickets and tokens, and repairs what has changed since', async () => {
    await tick(hub);
    const { json } = await hub.hub.accessToken();
    expect(json.component_access_token).toBe(first.simulator.currentToken(COMPONENT.appid)?.value);
    await first.simulator.pushTicket(COMPONENT.appid);
    await authorizerTick(hub);
    await resyncTick(hub);
    await authorizerTick(hub);
    for (const account of [steady, changed, late]) {
      const token = await tokenText(hub, account);
      expect(token).toBe(first.simulator.accounts.currentToken(COMPONENT.appid, account)?.value);
      expect(token).not.toBe(oldToken);
    }
    expect((await tokenOf(hub, gone)).status).toBe(410);
    expect(await historyOf(hub, late)).toContain('refresh_token_repaired');
  });

  it('delivers what was held when an operator asks for it', async () => {
    receiver.clear();
    const { json } = await hub.hub.post('/admin/deliveries/replay', { status: ['cancelled'] });
    expect(json).toMatchObject({ matching: 1, replayed: 1 });
    await deliverDue(hub);
    const [call] = await receiver.arrived(1);
    expect(call?.json.data.fields.MsgId).toBe(fields.MsgId);
  });

  it('is a copy once: what is pending at the next start is delivered', async () => {
    receiver.answer({ status: 503 });
    await sendMessage(hub, messagePush(first, textFields(hub)));
    await settled(hub);
    await hub.app.close();
    receiver.answer({});
    receiver.clear();
    hub = await deliveryHub({
      database: restored,
      clock: first.clock,
      simulator: { components: [] },
      env: { WECHAT_API_BASE_URL: first.simulator.url },
    });
    hub.clock.advance(10 * SECOND);
    await deliverDue(hub);
    expect(await receiver.arrived(1)).toHaveLength(1);
  });

  it('is not marked while a hub uses the database', async () => {
    const { code, text } = await run('restore.js', ['--mark'], { DATABASE_URL: restored.url });
    expect([code, text]).toEqual([1, expect.stringContaining('in use')]);
  });
});

describe.each(mysqlOnly())('a copy on %s', (kind) => {
  it('is not marked where a master key is missing, however few values are under it', async () => {
    const database = await createTestDatabase(kind);
    try {
      const mark = (): Promise<Ended> =>
        run('restore.js', ['--mark'], { DATABASE_URL: database.url });
      // It makes the tables.
      expect((await mark()).code).toBe(0);
      const connection = await createConnection({ uri: database.url });
      const rows = Array.from({ length: 701 }, (_, at) => {
        const key = at === 350 ? 'lost' : MASTER_KEY.split(':')[0];
        return [`wx${1000 + at}`, 1, 'component_verify_ticket', `enc:v1:${key}:fake`, '2026-01-01'];
      });
      await connection.query(
        `INSERT INTO tb_ComponentVerifyTicket (Cvt_AppId, Cvt_CreateTime, Cvt_InfoType,
           Cvt_ComponentVerifyTicket, Cvt_DateTime) VALUES ?`,
        [rows],
      );
      await connection.end();
      const { code, text } = await mark();
      expect([code, text]).toEqual([1, expect.stringContaining('MASTER_KEYS lacks: "lost"')]);
    } finally {
      await database.drop();
    }
  });
});

describe('a backup of SQLite', () => {
  let folder: string;
  let test: TestApp;
  let path: string;
  const restore = (url: string, ...args: string[]): Promise<Ended> =>
    run('restore.js', args, { DATABASE_URL: url });
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hub-backup-'));
    test = await createTestApp({ database: 'sqlite' });
    await prime(test);
    path = new URL(test.database.url).pathname;
  });
  afterAll(async () => {
    await test.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is one consistent file, made while a hub writes; it names the keys and has none', async () => {
    const file = join(folder, 'a');
    const backup = run('backup.js', [file], { DATABASE_URL: test.database.url });
    const pushes = Array.from({ length: 40 }, async () => {
      await test.simulator.pushTicket(COMPONENT.appid);
    });
    await Promise.all(pushes);
    const { code, text } = await backup;
    expect([code, text]).toEqual([0, expect.stringContaining('does not contain: t1\n')]);
    expect(text + readFileSync(file, 'latin1')).not.toContain(KEY);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(existsSync(`${file}.part`)).toBe(false);
  });

  it('replaces no file unless it is said', async () => {
    const file = join(folder, 'a');
    const env = { DATABASE_URL: test.database.url };
    const before = statSync(file).ino;
    expect(await run('backup.js', [file], env)).toEqual({
      code: 1,
      text: `${file} is there already: name another one, or say --overwrite\n`,
    });
    expect(statSync(file).ino).toBe(before);
    expect((await run('backup.js', [file, '--overwrite'], env)).code).toBe(0);
    expect(statSync(file).ino).not.toBe(before);
  });

  it.each([
    ['a key that is not there', `t2:${KEY}`, 'MASTER_KEYS lacks: "t1"'],
    ['another key of its id', `t1:${OTHER_KEY}`, 'MASTER_KEYS has another key of that id'],
  ])('is not restored under %s', async (_, MASTER_KEYS, why) => {
    const target = join(folder, 'new.sqlite');
    const env = { DATABASE_URL: `sqlite:${target}`, MASTER_KEYS };
    const { code, text } = await run('restore.js', [join(folder, 'a')], env);
    expect([code, text]).toEqual([1, expect.stringContaining(why)]);
    expect(existsSync(target)).toBe(false);
  });

  it('is not restored over a database that is in use, nor over any unless it is said', async () => {
    const file = join(folder, 'a');
    const before = statSync(path).ino;
    expect((await restore(test.database.url, file)).text).toContain('is there already');
    expect(await restore(test.database.url, file, '--overwrite')).toEqual({
      code: 1,
      text: `${path} is in use: stop the hubs and programs that have it open\n`,
    });
    expect(statSync(path).ino).toBe(before);
    const target = `sqlite:${join(folder, 'new.sqlite')}`;
    expect((await restore(target, file)).code).toBe(0);
    const again = await restore(target, file, '--overwrite');
    const [, kept = ''] = /kept as (\S+)/.exec(again.text) ?? [];
    expect([again.code, existsSync(kept)]).toEqual([0, true]);
  });

  it('is made in a folder, and restored into one, that is not there yet', async () => {
    const file = join(folder, 'backups', 'today');
    const made = await run('backup.js', [file], { DATABASE_URL: test.database.url });
    const restored = await restore(`sqlite:${join(folder, 'try', 'hub.sqlite')}`, file);
    expect([made.code, restored.code, existsSync(join(folder, 'try', 'hub.sqlite'))]).toEqual([
      0,
      0,
      true,
    ]);
  });

  it('is not restored where it is damaged, or no backup', async () => {
    const target = `sqlite:${join(folder, 'other.sqlite')}`;
    const damaged = join(folder, 'damaged');
    mkdirSync(join(folder, 'a-folder'));
    const bytes = readFileSync(join(folder, 'a'));
    writeFileSync(damaged, bytes.fill(0x55, bytes.length / 2));
    for (const [file, why] of [
      [damaged, /damaged|SQLITE_CORRUPT/],
      [join(import.meta.dirname, 'backup.spec.ts'), /SQLITE_NOTADB/],
      [join(folder, 'nowhere'), /does not exist/],
      [join(folder, 'a-folder'), /^\S+ is not a file\n$/],
    ] as const) {
      const { code, text } = await restore(target, file);
      expect([code, text]).toEqual([1, expect.stringMatching(why)]);
    }
    expect(existsSync(join(folder, 'other.sqlite'))).toBe(false);
  });

  it('takes the place of a database that is damaged, which is kept with its log', async () => {
    const target = join(folder, 'spoilt.sqlite');
    for (const end of ['', '-wal']) writeFileSync(target + end, `fake${end}\u001b[2J`);
    const { code, text } = await restore(`sqlite:${target}`, join(folder, 'a'), '--overwrite');
    const [, kept = ''] = /kept as (\S+), \S+-wal/.exec(text) ?? [];
    expect([code, readFileSync(kept, 'utf8')]).toEqual([0, 'fake\u001b[2J']);
    expect(readFileSync(`${kept}-wal`, 'utf8')).toBe('fake-wal\u001b[2J');
  });

  it('is refused in words that a terminal only shows', async () => {
    const file = join(folder, 'spoilt\u001b[2J');
    const { text } = await restore(`sqlite:${join(folder, 'other.sqlite')}`, file);
    expect(text).toMatch(/spoilt\ufffd\[2J .* does not exist\n$/);
  });
});
