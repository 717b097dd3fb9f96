import { ref } from 'vue';
import { toast } from './asking';
import { useErrorText } from './use-error-text';

/**
 * Something that a button does: once at a time, and a refusal is said in a corner.
 * @example const refresh = useAct(async (appid: string) => { … ; toast.good(…); });
 */
export function useAct<A extends unknown[]>(act: (...args: A) => Promise<void>) {
  const busy = ref(false);
  const { textOf, idOf } = useErrorText();
  const run = async (...args: A): Promise<void> => {
    if (busy.value) return;
    busy.value = true;
    try {
      await act(...args);
    } catch (error) {
      toast.bad(textOf(error), idOf(error));
    } finally {
      busy.value = false;
    }
  };
  return { busy, run };
}
