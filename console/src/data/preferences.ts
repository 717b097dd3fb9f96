import { ref, watch, type Ref } from 'vue';

export type Theme = 'system' | 'light' | 'dark';
export type Language = 'zh' | 'en';

/** A choice of this browser's; nothing secret is ever kept there. */
function kept<T extends string>(name: string, choices: readonly T[], usual: T): Ref<T> {
  const key = `component-hub.${name}`;
  let found: string | null = null;
  try {
    found = localStorage.getItem(key);
  } catch {
    // Storage may be switched off.
  }
  const choice = ref(choices.find((one) => one === found) ?? usual) as Ref<T>;
  // What is chosen in one tab is shown in all.
  window.addEventListener('storage', ({ key: changed, newValue }) => {
    if (changed === key) choice.value = choices.find((one) => one === newValue) ?? usual;
  });
  watch(choice, (value) => {
    try {
      localStorage.setItem(key, value);
    } catch {
      // The choice holds for this visit.
    }
  });
  return choice;
}

/** The first of the two languages that the browser names; Chinese where it names neither. */
function browserLanguage(): Language {
  const tags = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return tags.find((tag): tag is Language => tag === 'zh' || tag === 'en') ?? 'zh';
}

export const THEMES = ['system', 'light', 'dark'] as const;
export const LANGUAGES = ['zh', 'en'] as const;
export const theme = kept<Theme>('theme', THEMES, 'system');
export const language = kept<Language>('language', LANGUAGES, browserLanguage());

watch(
  theme,
  (value) => {
    if (value === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
  },
  { immediate: true },
);
