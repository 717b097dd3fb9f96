import { watch } from 'vue';
import { createI18n } from 'vue-i18n';
import { language } from '../data/preferences';
import { en } from './en';
import { zh } from './zh';

export const i18n = createI18n({
  legacy: false,
  locale: language.value,
  fallbackLocale: 'zh',
  messages: { zh, en },
});

watch(
  language,
  (value) => {
    i18n.global.locale.value = value;
    document.documentElement.lang = value === 'zh' ? 'zh-CN' : 'en';
  },
  { immediate: true },
);
