import { watch } from 'vue';
import { createI18n } from 'vue-i18n';
import { language, type Language } from '../data/preferences';

/** A catalogue is fetched when its language is first shown: nobody reads two at a time. */
const CATALOGUES = {
  zh: async () => (await import('./zh')).zh,
  en: async () => (await import('./en')).en,
};

export const i18n = createI18n({ legacy: false, locale: language.value, messages: {} });

async function show(wanted: Language): Promise<void> {
  const texts = await CATALOGUES[wanted]();
  // Meanwhile the person may have chosen the other one.
  if (language.value !== wanted) return;
  i18n.global.setLocaleMessage(wanted, texts);
  i18n.global.locale.value = wanted;
  document.documentElement.lang = wanted === 'zh' ? 'zh-CN' : 'en';
}

watch(language, (wanted) => void show(wanted));

/** Resolves when the texts can be shown. */
export const textsAreThere = show(language.value);
