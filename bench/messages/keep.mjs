import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { projectFile } from '../lib/settings.mjs';

const TITLE = '# Messages and events';

/** Puts the text in the place of the section of `bench/results.md` that has its title. */
export async function keep(text) {
  const file = projectFile('bench/results.md');
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const others = before.split(/^(?=# )/m).filter((section) => !section.startsWith(TITLE));
  const options = await resolveConfig(file);
  const all = [...others, text].map((section) => section.trim()).join('\n\n');
  writeFileSync(file, await format(`${all}\n`, { ...options, filepath: file }));
}
