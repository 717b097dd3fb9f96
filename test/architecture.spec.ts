import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Folders of `src`; each may import from those before it. */
const ORDER = [
  'common',
  'config',
  'http',
  'database',
  'secrets',
  'auth',
  'statistics',
  'wechat-crypto',
  'wechat-api',
  'component',
  'callback',
  'ticket',
  'token-engine',
  'token',
  'authorizer',
  'authorization',
  'gateway',
  'reply',
  'webhook',
  'subscription',
  'delivery',
  'event-log',
  'release-check',
  'message',
  'backup',
  'import',
  'health',
  'metrics',
  'instance',
  'doctor',
];
/** Folders that know of less than those before them. */
const ONLY: Record<string, string[]> = {
  webhook: ['common', 'config'],
  'wechat-crypto': ['common'],
  'wechat-api': ['common', 'config'],
};
/** Features report through `common/telemetry.ts` and do not know who counts. */
const NOBODY_IMPORTS = ['backup', 'import', 'health', 'metrics', 'instance', 'doctor'];

function mayImport(folder: string): string[] {
  const before = ONLY[folder] ?? ORDER.slice(0, ORDER.indexOf(folder));
  return before.filter((other) => !NOBODY_IMPORTS.includes(other));
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
    .map((name) => `${folder}/${name}`);
}

/** Folders outside its own that a file of `src/<folder>` imports from; '' is `src` itself. */
function importedBy(path: string): string[] {
  const depth = path.split('/').length - 3;
  const way = new RegExp(`from '(?:\\.\\./){${depth + 1}}(?:([\\w-]+)/)?[^/']+(?:/[^']+)?'`, 'g');
  return [...readFileSync(path, 'utf8').matchAll(way)].map(([, folder = '']) => folder);
}

describe('the folders of src', () => {
  it('are all in the order', () => {
    const entries = readdirSync('src', { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect(folders.toSorted()).toEqual(ORDER.toSorted());
  });

  it.each(ORDER)('%s imports from nothing that comes behind it', (folder) => {
    const wrong = sources(`src/${folder}`).flatMap((path) =>
      importedBy(path)
        .filter((other) => !mayImport(folder).includes(other))
        .map((other) => `${path} imports from ${other || 'src'}`),
    );
    expect(wrong).toEqual([]);
  });
});

/** What a class is in this code base; a new kind of class is named here. */
const ROLES = new Set(
  (
    'client controller engine entity filter guard interceptor job lanes log ' +
    'module reader recorder refresher replay results retention service source store ' +
    'worker'
  ).split(' '),
);
/** Roles of files that hold no class. */
const WITHOUT_CLASS = new Set(['job', 'setup', 'views']);

function pascal(name: string): string {
  return name.replaceAll(/(?:^|[-.])(\w)/g, (_, first: string) => first.toUpperCase());
}

it('noun.role.ts holds the class NounRole, and an entity its noun', () => {
  const wrong = sources('src').flatMap((path) => {
    const name = path.split('/').at(-1)?.slice(0, -'.ts'.length) ?? '';
    const [noun = '', role] = name.split('.');
    const classes = [
      ...readFileSync(path, 'utf8').matchAll(/export (?:abstract )?class (\w+)/g),
    ].map(([, found = '']) => found);
    const isIn = (wanted: string): boolean => classes.includes(wanted);
    if (role === undefined) {
      // An error may have a role in its name without having one in the code.
      const ofRole = classes.filter((one) =>
        ROLES.has(/[A-Z][a-z]+$/.exec(one)?.[0].toLowerCase() ?? ''),
      );
      return ofRole.map((one) => `${path} holds ${one}`);
    }
    if (WITHOUT_CLASS.has(role)) return [];
    if (role === 'entity') return isIn(pascal(noun)) || isIn(`${pascal(noun)}Row`) ? [] : [path];
    return ROLES.has(role) || role === 'error' ? (isIn(pascal(name)) ? [] : [path]) : [path];
  });
  expect(wrong).toEqual([]);
});

it('hub and simulator share no code: an error of one cannot hide behind the same of the other', () => {
  const crossing = [
    ...sources('src').filter((path) => readFileSync(path, 'utf8').includes('/simulator/')),
    ...sources('simulator').filter((path) => readFileSync(path, 'utf8').includes('/src/')),
  ];
  expect(crossing).toEqual([]);
});

it('the console knows the hub by its routes only, and the hub nothing of the console', () => {
  const outside = /from '(?:\.\.\/)+(?:src|simulator|test|dist)\//;
  const files = readdirSync('console/src', { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:ts|vue)$/.test(name))
    .map((name) => `console/src/${name}`);
  expect(files.length).toBeGreaterThan(20);
  const crossing = [
    ...files.filter((path) => outside.test(readFileSync(path, 'utf8'))),
    ...sources('src').filter((path) => /from '[^']*\/console\//.test(readFileSync(path, 'utf8'))),
  ];
  expect(crossing).toEqual([]);
  expect(files.filter((path) => !/^[a-z\d./-]+$/.test(path))).toEqual([]);
});

/** Files that use a table beside its one store, by entity, and why. */
const BESIDE_THE_STORE: Record<string, string[]> = {
  // Reading, removing and writing the audit trail are three classes without a common thought.
  'audit-record': ['auth/audit.log', 'auth/audit.retention'],
  // The token engine's store has its own columns of the account's row. What a restored copy may not
  // go on with, in this and other tables, is read in one place.
  authorizer: ['authorizer/authorizer-token.service', 'backup/restored.service'],
  'component-access-token': ['backup/restored.service'],
  'js-ticket': ['backup/restored.service'],
  'authorizer-resync': ['backup/restored.service'],
  session: ['backup/restored.service'],
  // Marks a copy in which no hub runs.
  setting: ['backup/backup-file', 'backup/marked-mysql'],
  // Rewrites every encrypted column, and the settings that were applied.
  component: ['secrets/secret-rotation'],
  // Removes what is old in both tables of its folder.
  'authorization-code': ['authorization/authorization.retention'],
  'authorization-request': ['authorization/authorization.retention', 'backup/restored.service'],
  // Lists, outcomes by the hundred, and whether a subscription is given up.
  delivery: ['delivery/delivery.log', 'delivery/delivery.results', 'backup/restored.service'],
  'delivery-attempt': ['delivery/delivery.log', 'delivery/delivery.results'],
  // Which deliveries are due or awaited depends on their subscription; a replay locks it.
  subscription: ['delivery/delivery.replay', 'delivery/delivery.store'],
};

/** Files that have SQL on a table, or the class of its rows as more than a type. */
function usersOf(entityPath: string, all: string[]): string[] {
  const source = readFileSync(entityPath, 'utf8');
  const [, table = ''] = /@Entity\('(\w+)'/.exec(source) ?? [];
  const [, row = ''] = /export class (\w+)/.exec(source) ?? [];
  const file = entityPath.split('/').at(-1)?.replace('.ts', '.js') ?? '';
  const statement = new RegExp(
    `\\b(?:FROM|INTO|UPDATE|JOIN) \`?${table}\\b|\\binsertRows\\(\\w+, '${table}'`,
  );
  const imported = new RegExp(`import \\{([^}]*)\\} from '[^']*/${file.replaceAll('.', '\\.')}'`);
  return all.filter((path) => {
    const text = readFileSync(path, 'utf8');
    const names = imported.exec(text)?.[1]?.split(',') ?? [];
    return statement.test(text) || names.some((name) => name.trim() === row);
  });
}

it('one table, one store: no other file has its SQL or its rows', () => {
  const files = sources('src').filter(
    (path) => !/\/migrations\/|\.(?:entity|module)\.ts$/.test(path),
  );
  const entities = sources('src').filter((path) => path.endsWith('.entity.ts'));
  const found = entities.map((entity) => {
    const noun = entity.split('/').at(-1)?.replace('.entity.ts', '') ?? '';
    const users = usersOf(entity, files);
    const beside = (BESIDE_THE_STORE[noun] ?? []).map((name) => `src/${name}.ts`);
    return {
      noun,
      stores: users.filter((path) => !beside.includes(path)),
      needless: beside.filter((path) => !users.includes(path)),
    };
  });
  expect(found.filter(({ stores }) => stores.length > 1)).toEqual([]);
  // An exception that is no longer one would hide the next.
  expect(found.flatMap(({ needless }) => needless)).toEqual([]);
  expect(entities.length).toBeGreaterThan(10);
});

/** The files of a folder that a file of it imports, types too. */
function importsOf(path: string): string[] {
  const imports = readFileSync(path, 'utf8').matchAll(/ from '(\.[^']+)\.js'/g);
  return [...imports].map(([, way = '']) => `${join(path, '..', way)}.ts`);
}

it.each(['src', 'simulator'])('no file of %s imports itself by way of others', (folder) => {
  const graph = new Map(sources(folder).map((path) => [path, importsOf(path)]));
  const reachable = (path: string): Set<string> => {
    const found = new Set(graph.get(path));
    for (const next of found) for (const further of graph.get(next) ?? []) found.add(further);
    return found;
  };
  expect([...graph.keys()].filter((path) => reachable(path).has(path))).toEqual([]);
});

it('the audit trail is only added to: but for age, nothing changes or removes its records', () => {
  const users = usersOf(
    'src/auth/audit-record.entity.ts',
    sources('src').filter((path) => !/\/migrations\/|\.(?:entity|module)\.ts$/.test(path)),
  );
  const changing =
    /\.(?:update|delete|remove|save|upsert|clear|softDelete|softRemove|orUpdate|increment|decrement)\(|\b(?:UPDATE|DELETE|REPLACE|removeInBatches)\b/;
  const changers = users.filter((path) => {
    const code = readFileSync(path, 'utf8').replaceAll(/this\.acts\.delete\(/g, '');
    return changing.test(code.replaceAll(/^import .*$/gm, ''));
  });
  expect(users).toContain('src/auth/audit.service.ts');
  expect(changers).toEqual(['src/auth/audit.retention.ts']);
});
