import { shallowRef } from 'vue';
import type { components } from './api-types';
import { language } from './preferences';

type Remark = components['schemas']['Remark'] | null | undefined;

/** Fetched when the first one is shown: most pages show none. */
const chinese = shallowRef<Record<string, string>>();
let fetching: Promise<void> | undefined;
async function fetchChinese(): Promise<void> {
  chinese.value = (await import('../texts/remarks')).remarks;
}

function filled(text: string, facts: Record<string, string>): string {
  return text.replaceAll(/\{(\w+)\}/g, (place, name: string) => facts[name] ?? place);
}

/** What the hub says of a failure, in the reader's language. */
export function useRemarks() {
  /**
   * @param text the sentence as the hub says it, which is shown where there is no other.
   * @param remark the same by its code.
   */
  const said = (text: string | null | undefined, remark: Remark): string => {
    if (language.value !== 'zh' || !remark) return text ?? '';
    fetching ??= fetchChinese();
    const words = chinese.value?.[remark.code];
    if (words === undefined) return text ?? '';
    const { facts, why } = remark;
    const within = why && chinese.value?.[why.code];
    return filled(words, within ? { ...facts, why: filled(within, why.facts) } : facts);
  };
  return { said };
}
