import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';

const run = promisify(execFile);
const INSTALL_LIMIT_MS = 600_000;
/** Of a program: one that calls without end is stopped. */
const RUN_LIMIT_MS = 50_000;

export type Language = 'python' | 'go' | 'java';
type Command = [file: string, ...args: string[]];

/** How programs of one language get their SDKs; each lies in the folder of its name. */
interface Toolchain {
  /** Without it the language is skipped. */
  present: Command;
  /** Fetches from a registry; where that fails, the language is skipped. */
  install: Command[];
  /** What must not fail. */
  build: Command[];
  /** Starts a program of the folder. */
  start(program: string): Command;
  /** Runs a source file that lies elsewhere, with the SDKs of the folder. */
  startSource(file: string): Command;
}

function toolchain(language: Language): Toolchain {
  const folder = join(inject('sdkFolder'), language);
  const source = join(import.meta.dirname, language);
  switch (language) {
    case 'python': {
      const python = join(folder, 'bin/python');
      const pip: Command = [python, '-m', 'pip', 'install', '--quiet'];
      return {
        present: ['python3', '--version'],
        install: [
          ['python3', '-m', 'venv', folder],
          [...pip, '--requirement', join(source, 'requirements.txt')],
        ],
        build: [],
        start: (program) => [python, join(source, program)],
        startSource: (file) => [python, file],
      };
    }
    case 'go': {
      const binary = join(folder, 'client');
      return {
        present: ['go', 'version'],
        install: [['go', 'mod', 'download']],
        build: [['go', 'build', '-o', binary, '.']],
        start: () => [binary],
        startSource: (file) => ['go', 'run', file],
      };
    }
    case 'java': {
      const list = join(folder, 'classpath');
      const classpath = (): string => {
        const jars = existsSync(list) ? readFileSync(list, 'utf8').trim() : '';
        return [folder, jars].join(delimiter);
      };
      const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath';
      return {
        present: ['mvn', '--version'],
        install: [['mvn', '--quiet', '--batch-mode', goal, `-Dmdep.outputFile=${list}`]],
        get build(): Command[] {
          return [['javac', '-d', folder, '-cp', classpath(), join(source, 'Client.java')]];
        },
        start: (program) => ['java', '-cp', classpath(), program],
        startSource: (file) => ['java', '-cp', classpath(), file],
      };
    }
  }
}

const installed = new Map<Language, Promise<boolean>>();

/**
 * Whether programs of the language can run: installs its SDKs, once. Where the toolchain or the
 * registry is missing, prints why; with REQUIRE_SDKS=1 that is an error.
 */
export function canRun(language: Language): Promise<boolean> {
  const known = installed.get(language);
  if (known) return known;
  const result = install(language);
  installed.set(language, result);
  return result;
}

async function install(language: Language): Promise<boolean> {
  const tools = toolchain(language);
  const cwd = join(import.meta.dirname, language);
  mkdirSync(join(inject('sdkFolder'), language), { recursive: true });
  const commands = [tools.present, ...tools.install];
  for (const [file, ...args] of commands) {
    try {
      await run(file, args, { cwd, timeout: INSTALL_LIMIT_MS });
    } catch (error) {
      const { stderr = '', stdout = '', message } = error as Error & Record<string, string>;
      const reason = (stderr || stdout || message).trim().split('\n').at(-1);
      const text = `SDKs in ${language} skipped: ${file} ${args.join(' ')}: ${reason}`;
      if (process.env.REQUIRE_SDKS === '1') throw new Error(text, { cause: error });
      console.log(text);
      return false;
    }
  }
  for (const [file, ...args] of tools.build) await run(file, args, { cwd });
  return true;
}

/** A program of a language that can run. */
export interface SdkProgram {
  language: Language;
  /** File of a script, name of a class; Go has one program. */
  program: string;
  /** Whether the program is the path of a source file that lies elsewhere. */
  source?: boolean;
  args?: string[];
}

/** Starts a program; nothing of this process's environment but what the toolchain needs reaches it. */
export function startSdk(
  { language, program, source = false, args = [] }: SdkProgram,
  env: Record<string, string>,
): ChildProcess {
  const tools = toolchain(language);
  const [file, ...more] = source ? tools.startSource(program) : tools.start(program);
  return spawn(file, [...more, ...args], {
    cwd: join(import.meta.dirname, language),
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs a program to its end: the last line that it prints is JSON. */
export async function runSdk(
  program: SdkProgram,
  env: Record<string, string>,
): Promise<Record<string, unknown>> {
  const child = startSdk(program, env);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const limit = setTimeout(() => child.kill('SIGKILL'), RUN_LIMIT_MS);
  await new Promise((resolve, reject) => child.once('close', resolve).once('error', reject));
  clearTimeout(limit);
  const last = stdout.trim().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(last) as Record<string, unknown>;
  } catch {
    throw new Error(`${program.program} printed no result: ${stdout}${stderr.slice(-4000)}`);
  }
}

/** Runs a command that came with the SDKs of Python; what it printed, and its exit code. */
export async function runPythonTool(
  name: string,
  args: string[],
): Promise<{ code: number | null; output: string }> {
  const child = spawn(join(inject('sdkFolder'), 'python/bin', name), args, {
    cwd: inject('sdkFolder'),
    env: { PATH: process.env.PATH, HOME: process.env.HOME, COLUMNS: '120' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  }
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('close', resolve).once('error', reject),
  );
  return { code, output };
}
