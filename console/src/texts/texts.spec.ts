import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'vue/compiler-sfc';
import { describe, expect, it } from 'vitest';
import { en } from './en';
import { zh } from './zh';

type Tree = { [key: string]: string | Tree };

/** Texts by the path of their key. */
function flat(tree: Tree, path = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string' ? [[path + key, value]] : flat(value, `${path}${key}.`),
  );
}

const ROOT = join(import.meta.dirname, '..');
const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(?:vue|ts)$/.test(name) && !/^texts\/|api-types|\.spec\./.test(name))
  .map((name) => ({ name, source: readFileSync(join(ROOT, name), 'utf8') }));

const chinese = new Map(flat(zh));
const english = new Map(flat(en));

describe('the catalogues', () => {
  it('have the same keys, and each text the same places', () => {
    expect([...english.keys()].toSorted()).toEqual([...chinese.keys()].toSorted());
    // A plural says the same places in each of its forms.
    const places = (text = ''): string[] =>
      [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(String))].toSorted();
    const differing = [...chinese].filter(
      ([key, text]) => places(text).join(' ') !== places(english.get(key)).join(' '),
    );
    expect(differing).toEqual([]);
  });

  it('have no text that is empty, and write 账号 as WeChat does now', () => {
    const all = [...chinese, ...english];
    expect(all.filter(([, text]) => text.trim() === '')).toEqual([]);
    expect(all.filter(([, text]) => text.includes('帐'))).toEqual([]);
  });

  it('have every key that is asked for by name', () => {
    const asked = files.flatMap(({ name, source }) =>
      [...source.matchAll(/\bt\(\s*'([\w.]+)'/g)].map(([, key = '']) => ({ name, key })),
    );
    expect(asked.length).toBeGreaterThan(50);
    expect(asked.filter(({ key }) => !chinese.has(key))).toEqual([]);
  });
});

interface Node {
  type: number;
  tag?: string;
  content?: string;
  children?: Node[];
  props?: { type: number; name: string; value?: { content: string } }[];
}
const ELEMENT = 1;
const TEXT = 2;
/** What is read in them is the same in every language. */
const LITERAL = new Set(['kbd', 'pre', 'code']);
const SPOKEN = new Set(['aria-label', 'title', 'placeholder', 'alt', 'label']);

/** Words that a template itself holds. */
function wordsOf(node: Node): string[] {
  if (node.type === TEXT) return /\p{L}/u.test(node.content ?? '') ? [node.content ?? ''] : [];
  if (node.type === ELEMENT && LITERAL.has(node.tag ?? '')) return [];
  const spoken = (node.props ?? [])
    .filter(({ name, value }) => SPOKEN.has(name) && /\p{L}/u.test(value?.content ?? ''))
    .map(({ name, value }) => `${name}="${value?.content}"`);
  return [...spoken, ...(node.children ?? []).flatMap(wordsOf)];
}

describe('nothing that people read is outside the catalogues', () => {
  it('no words in templates', () => {
    const found = files
      .filter(({ name }) => name.endsWith('.vue'))
      .flatMap(({ name, source }) => {
        const ast = parse(source).descriptor.template?.ast;
        return wordsOf(ast as unknown as Node).map((text) => `${name}: ${text.trim()}`);
      });
    expect(found).toEqual([]);
  });

  it('no Chinese in code', () => {
    const found = files
      .filter(({ name }) => name !== 'parts/language-names.ts')
      .filter(({ source }) => /\p{Script=Han}/u.test(source))
      .map(({ name }) => name);
    expect(found).toEqual([]);
  });
});
