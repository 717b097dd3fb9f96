import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { projectFile } from './settings.mjs';

/**
 * Puts a part with its title (`# …`) into `bench/results.md` in the place of the one of the same
 * title, or behind the others, as the project's format check wants it.
 * @param sections whether it has only some of its sections (`## …`): the others stay as they were.
 */
export async function keep(text, { sections = false } = {}) {
  const file = projectFile('bench/results.md');
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const all = put(text, before, '# ', sections ? mergeSections : (_, part) => part);
  const options = await resolveConfig(file);
  writeFileSync(file, await format(`${all}\n`, { ...options, filepath: file }));
}

/** The new head, and of the sections those that are new and those that were not made anew. */
function mergeSections(before, part) {
  const [head, ...made] = split(part, '## ');
  const old = [head, ...split(before, '## ').slice(1)].join('\n\n');
  return made.reduce((merged, section) => put(section, merged, '## ', (_, one) => one), old);
}

/** @param join what stands in the place of a piece of the same title. */
function put(piece, text, mark, join) {
  const pieces = split(text, mark);
  const [title] = piece.split('\n', 1);
  const place = pieces.findIndex((one) => one.split('\n', 1)[0] === title);
  if (place < 0) pieces.push(piece);
  else pieces[place] = join(pieces[place], piece);
  return pieces.map((one) => one.trim()).join('\n\n');
}

function split(text, mark) {
  return text.split(new RegExp(`^(?=${mark})`, 'm')).filter((piece) => piece.trim() !== '');
}
