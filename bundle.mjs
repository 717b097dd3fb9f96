import { readFileSync } from 'node:fs';
import { rolldown } from 'rolldown';

const BUILT = 'dist.new';

/**
 * The built hub and its libraries in a few files, which load in a third of the time that a thousand
 * take: `main.js` of the build, and `hub/` beside it. The commands go on using the files of the
 * compiler.
 */
const bundle = await rolldown({
  input: { main: `${BUILT}/main.js` },
  platform: 'node',
  // What looks for files of its own beside itself, and what a hub on SQLite does without.
  external: [/^libsql(\/|$)/, /^swagger-ui-dist/, /^mysql2(\/|$)/],
  // Optional libraries of Nest and TypeORM that nobody has installed.
  logLevel: 'silent',
  plugins: [linesOfTheSource(), oneTypeorm(), ...withoutUndici()],
});
await bundle.write({
  dir: BUILT,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'hub/[name].js',
  sourcemap: true,
  // A primary of several workers loads only what it uses.
  codeSplitting: { groups: [{ name: 'libraries', test: /node_modules/, entriesAware: true }] },
});

/** Leads from the bundle's lines to those of `src`; those of libraries stay the bundle's own. */
function linesOfTheSource() {
  return {
    name: 'lines-of-the-source',
    load: {
      filter: { id: { include: new RegExp(`/${BUILT}/`), exclude: /node_modules/ } },
      handler: (id) => ({ code: readFileSync(id, 'utf8'), map: readFileSync(`${id}.map`, 'utf8') }),
    },
    generateBundle(_options, files) {
      for (const [name, { type, code, source }] of Object.entries(files)) {
        const isLibrary = name.startsWith('hub/libraries');
        // 13 MB that each start would read.
        if (isLibrary && type === 'asset') delete files[name];
        else if (type === 'chunk') {
          const kept = isLibrary ? code.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n') : code;
          files[name].code = inLatin1(kept);
        } else {
          const map = JSON.parse(source);
          delete map.sourcesContent;
          files[name].source = JSON.stringify(map);
        }
      }
    },
  };
}

/** V8 keeps a text with a single other letter in two bytes a letter, as long as the process runs. */
function inLatin1(code) {
  return code.replaceAll(
    /[^\0-\xff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `@nestjs/typeorm` looks for two classes of old TypeORMs by loading all of TypeORM once more. */
function oneTypeorm() {
  return {
    name: 'one-typeorm',
    load: {
      filter: { id: /@nestjs\/typeorm\/dist\/common\/typeorm-compat\.js$/ },
      handler: () => 'export const [Connection, AbstractRepository] = [];',
    },
  };
}

/**
 * Node loads its undici, which takes a twentieth of a start's time, for three names of `node:http`,
 * all of whose names an `import` reads, and for axios, which looks at `FormData` and whether its
 * adapter for `fetch` would work. The hub uses none of them, and a test holds that it stays away.
 */
function withoutUndici() {
  const http = 'virtual:http';
  const look = "typeof G.FormData !== 'undefined' ? G.FormData : undefined";
  return [
    {
      name: 'http-without-undici',
      resolveId: { filter: { id: /^(node:)?http$/ }, handler: () => http },
      load: {
        filter: { id: new RegExp(`^${http}$`) },
        handler: () => "module.exports = process.getBuiltinModule('node:http');",
      },
    },
    {
      name: 'axios-without-fetch',
      load: {
        filter: { id: /axios\/lib\/adapters\/fetch\.js$/ },
        handler: () => 'export const getFetch = () => undefined;',
      },
    },
    {
      name: 'axios-without-form-data',
      transform: {
        filter: { id: /axios\/lib\/utils\.js$/ },
        handler: (code) => ({ code: code.replace(look, 'undefined'), map: null }),
      },
    },
  ];
}
