// Checks the console's types. The tools for Vue and for OpenAPI need the JavaScript API of TypeScript,
// which version 7 has no more: they get version 6, under its alias, and nothing else does.
import { writeFileSync } from 'node:fs';
import { createRequire, register } from 'node:module';

const root = new URL('../../', import.meta.url);
const alias = `export const resolve = (name, context, next) =>
  next(name === 'typescript' ? 'typescript-6' : name, context);`;
register(`data:text/javascript,${encodeURIComponent(alias)}`);

const { astToString, default: typesOf } = await import('openapi-typescript');
const types = await typesOf(new URL('docs/openapi.json', root));
writeFileSync(new URL('console/src/data/api-types.ts', root), astToString(types));

process.argv = [...process.argv.slice(0, 2), '--noEmit', '-p', 'console/tsconfig.json'];
const require = createRequire(import.meta.url);
require('vue-tsc').run(require.resolve('typescript-6/lib/tsc'));
