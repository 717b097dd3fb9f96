import type { Language } from '../data/preferences';

/** Each language by its own name, whatever the reader's is. */
export const LANGUAGE_NAMES: Record<Language, string> = { zh: '中文', en: 'English' };
