import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const DOCS = join(import.meta.dirname, '../../docs');
export const ENGLISH = readFileSync(join(DOCS, 'clients.md'), 'utf8');
export const CHINESE = readFileSync(join(DOCS, 'clients.zh-CN.md'), 'utf8');

/** Heading of the programs that need an SDK. */
export const SDK_SECTION = 'An SDK, unmodified';

/** A fenced block of a document. */
export interface Block {
  language: string;
  text: string;
}

/** The fenced blocks of a text, in their order. */
export function blocks(text: string): Block[] {
  const found = text.matchAll(/^```(\w*)\n(.*?)^```$/gms);
  return [...found].map(([, language = '', block = '']) => ({ language, text: block }));
}

/** A section of the English document. */
export function sectionOf(heading: string): string {
  const [, after = ''] = ENGLISH.split(`\n## ${heading}\n`);
  return after.split('\n## ', 1)[0] ?? '';
}
