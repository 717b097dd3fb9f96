import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  detailOf,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { blocks, CHINESE, SDK_SECTION, sectionOf, type Block } from '../support/clients-doc.js';
import type { TestApp } from '../support/test-app.js';
import { apiKey } from '../support/wx-world.js';

const ROOT = join(import.meta.dirname, '../..');
/** Longest that a program may take, compiled by a busy machine. */
const RUN_LIMIT_MS = 60_000;
const OPENID = 'fake_openid';

/** How a program of each language is run, and what shows that it can be. */
const LANGUAGES: Record<string, { file: string; command: string[]; present: string[] }> = {
  bash: { file: 'client.sh', command: ['bash', '-eu'], present: ['curl', '--version'] },
  js: { file: 'client.mjs', command: ['node'], present: ['node', '--version'] },
  python: { file: 'client.py', command: ['python3'], present: ['python3', '--version'] },
  go: { file: 'client.go', command: ['go', 'run'], present: ['go', 'version'] },
  java: { file: 'Client.java', command: ['java'], present: ['java', '--version'] },
  php: { file: 'client.php', command: ['php'], present: ['php', '--version'] },
};

/** The sections, what their programs' keys may do, and the languages whose packages this project has. */
const SECTIONS = [
  { heading: 'Only the token', scopes: ['token:read', 'token:refresh'] },
  { heading: 'No credential but the key', scopes: ['proxy'] },
  // Those that want other registries are run by `npm run test:sdk`.
  { heading: SDK_SECTION, scopes: ['proxy'], runs: ['bash', 'js'] },
];

interface Program extends Block {
  heading: string;
  scopes: string[];
}

const missing = Object.entries(LANGUAGES)
  .filter(
    ([
      ,
      {
        present: [command = '', ...args],
      },
    ]) => spawnSync(command, args).status !== 0,
  )
  .map(([language]) => language);
for (const language of missing) {
  const [command = ''] = LANGUAGES[language]?.present ?? [];
  console.log(`Programs of docs/clients.md in ${language} skipped: there is no ${command}`);
}

const PROGRAMS: Program[] = SECTIONS.flatMap(({ heading, scopes, runs }) =>
  blocks(sectionOf(heading))
    .filter(({ language }) => !missing.includes(language))
    .filter(({ language }) => runs?.includes(language) ?? true)
    .map((block) => ({ heading, scopes, ...block })),
);

describe('the programs of docs/clients.md', () => {
  let test: TestApp;
  const folder = mkdtempSync(join(tmpdir(), 'hub-clients-'));
  beforeAll(async () => {
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    test = await authorizerHub({ database: 'sqlite' });
  });
  afterAll(async () => {
    await test?.close();
    rmSync(folder, { recursive: true });
  });

  /** Runs a program as a reader would, with nothing but its variables; the last line that it prints. */
  const run = async ({ language, text }: Block, env: Record<string, string>): Promise<any> => {
    const { file, command } = LANGUAGES[language] as (typeof LANGUAGES)[string];
    const own = mkdtempSync(join(folder, 'run-'));
    writeFileSync(join(own, file), text);
    const [name = '', ...args] = command;
    const child = spawn(name, [...args, join(own, file)], {
      cwd: own,
      env: {
        PATH: process.env.PATH,
        // Where Go keeps what it has compiled.
        HOME: process.env.HOME,
        GOTOOLCHAIN: 'local',
        // A compiler that runs once is not worth optimizing.
        JDK_JAVA_OPTIONS: '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
        HUB_URL: test.hub.url,
        OPENID,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: RUN_LIMIT_MS,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
    await once(child, 'close');
    if (child.exitCode !== 0) throw new Error(`${file} failed: ${stderr}`);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
  };
  const generationOf = async (account: string): Promise<number> =>
    (await detailOf(test, account)).token.generation;

  it('are there in every language for every kind of caller', () => {
    for (const { heading } of SECTIONS) {
      expect([heading, blocks(sectionOf(heading)).map(({ language }) => language)]).toEqual([
        heading,
        Object.keys(LANGUAGES),
      ]);
    }
  });

  it('are the same in Chinese', () => {
    const headings = [...SECTIONS.map(({ heading }) => heading), 'A platform'];
    const programs = headings.flatMap((heading) => blocks(sectionOf(heading)));
    expect(blocks(CHINESE).slice(0, programs.length)).toEqual(programs);
  });

  it.concurrent.each(PROGRAMS)(
    '$heading: in $language reaches the user, though WeChat refuses the token that the hub has',
    async ({ scopes, ...program }) => {
      const account = newAccount(test);
      await authorizeByEvent(test, account);
      const { key } = await apiKey(test, { scopes, authorizerAppIds: [account] });
      const before = await generationOf(account);
      test.simulator.accounts.expireTokens(PLATFORM, { account, errcode: 40001 });
      const answer = await run(program, {
        HUB_KEY: key,
        APPID: account,
        WECHAT_URL: test.simulator.url,
      });
      expect(answer).toMatchObject({ errcode: 0 });
      const sent = test.simulator.customMessages.last().filter((one) => one.account === account);
      expect(sent).toMatchObject([{ touser: OPENID, body: { text: { content: 'hello' } } }]);
      expect(await generationOf(account)).toBe(before + 1);
    },
    RUN_LIMIT_MS,
  );

  it('have a platform’s token for a key, whatever the ticket', async () => {
    const [program] = blocks(sectionOf('A platform'));
    const { key } = await apiKey(test);
    const answer = await run(program ?? { language: '', text: '' }, { HUB_KEY: key, PLATFORM });
    expect(answer).toEqual({
      component_access_token: expect.stringMatching(/^[\w-]{33,512}$/),
      expires_in: 7200,
    });
  });
});
