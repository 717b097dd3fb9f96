import { shallowRef, watch } from 'vue';
import { language, type Language } from '../data/preferences';
import { phrase, type Values } from './phrase';

interface Catalogue {
  readonly [key: string]: string | Catalogue;
}

/** A catalogue is fetched when its language is first shown: nobody reads two at a time. */
const CATALOGUES: Record<Language, () => Promise<Catalogue>> = {
  zh: async () => (await import('./zh')).zh,
  en: async () => (await import('./en')).en,
};

const shown = shallowRef<Catalogue>({});

async function show(wanted: Language): Promise<void> {
  const catalogue = await CATALOGUES[wanted]();
  // Meanwhile the person may have chosen the other one.
  if (language.value !== wanted) return;
  shown.value = catalogue;
  document.documentElement.lang = wanted === 'zh' ? 'zh-CN' : 'en';
}

watch(language, (wanted) => void show(wanted));

/** Resolves when the texts can be shown. */
export const textsAreThere = show(language.value);

function find(key: string): string | undefined {
  let found: string | Catalogue | undefined = shown.value;
  for (const part of key.split('.')) {
    // Keys come from answers of the hub too: `constructor` is none.
    if (typeof found !== 'object' || !Object.hasOwn(found, part)) return undefined;
    found = found[part];
  }
  return typeof found === 'string' ? found : undefined;
}

/** Whether the catalogue has this text. */
export function te(key: string): boolean {
  return find(key) !== undefined;
}

/**
 * The text of a key in the reader's language, the key itself where there is none. Of a text with two
 * forms, `count` says which; a number in place of the values is the count, put in for `{n}` and
 * `{count}`.
 */
export function t(key: string, values: Values | number = {}, count?: number): string {
  const text = find(key) ?? key;
  return typeof values === 'number'
    ? phrase(text, { n: values, count: values }, values)
    : phrase(text, values, count);
}
