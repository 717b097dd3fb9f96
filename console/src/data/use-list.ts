import { computed, ref, shallowRef, toValue, watch, type MaybeRefOrGetter, type Ref } from 'vue';
import { api, type Api } from './api';
import { useLive } from './use-live';

/** One page of a list, and the cursor of the next; null at the end. */
export interface Page<T> {
  rows: T[];
  next: string | null;
}

export interface ListOptions<T> {
  /** Everything that the list depends on: the filters, the platform. */
  key: MaybeRefOrGetter<readonly unknown[]>;
  /** Asks for a page. */
  page: (api: Api, cursor: string | undefined) => Promise<Page<T>>;
  rowKey: (row: T) => string;
  /** Milliseconds between two polls of the first page. */
  every?: MaybeRefOrGetter<number | undefined>;
  /**
   * `hold`: rows that came since wait behind "N new"; for lists with the newest first.
   * `replace`: a poll shows what it got.
   */
  fresh?: 'hold' | 'replace';
  /** Whether a filter is set: an empty list then says that nothing matches. */
  filtered?: MaybeRefOrGetter<boolean>;
}

/** A list by cursor: the first page is polled, further pages are asked for and stay. */
export function useList<T>(options: ListOptions<T>) {
  const { key, page, rowKey, every, filtered = false } = options;
  const live = useLive({ key, every, read: (client) => page(client, undefined) });
  const name = computed(() => JSON.stringify(toValue(key)));
  const { rows, tail, cursor, moreError, show } = useRows(options, live.data, name);
  const loadingMore = ref(false);
  const known = computed(() => new Set(rows.value.map(rowKey)));
  const more = async (): Promise<void> => {
    if (cursor.value === null || loadingMore.value) return;
    const asked = name.value;
    loadingMore.value = true;
    moreError.value = null;
    try {
      const got = await page(api, cursor.value);
      if (asked !== name.value) return;
      tail.value = [...tail.value, ...got.rows];
      cursor.value = got.next;
    } catch (error) {
      moreError.value = error as Error;
    } finally {
      loadingMore.value = false;
    }
  };
  return {
    ...live,
    rows,
    rowKey,
    /** Rows of the newest first page that are not shown. */
    newCount: computed(
      () => live.data.value?.rows.filter((row) => !known.value.has(rowKey(row))).length ?? 0,
    ),
    showNew: show,
    /** Where the next page begins; null at the end. */
    cursor,
    hasMore: computed(() => cursor.value !== null),
    more,
    moreError,
    loadingMore,
    filtered: computed(() => toValue(filtered)),
  };
}

/** The rows that are shown: those of the first page as it was first shown, and of the pages behind. */
function useRows<T>(
  { rowKey, fresh = 'replace' }: ListOptions<T>,
  first: Ref<Page<T> | undefined>,
  name: Ref<string>,
) {
  const head = shallowRef<T[]>([]) as Ref<T[]>;
  const tail = shallowRef<T[]>([]) as Ref<T[]>;
  const cursor = ref<string | null>(null);
  const moreError = ref<Error | null>(null);
  let shown = '';
  const show = (): void => {
    head.value = first.value?.rows ?? [];
    tail.value = [];
    cursor.value = first.value?.next ?? null;
    moreError.value = null;
    shown = first.value ? name.value : '';
  };
  const renew = (): void => {
    const isOther = shown !== name.value;
    if (isOther || (fresh === 'replace' && tail.value.length === 0)) return show();
    const newer = new Map(first.value?.rows.map((row) => [rowKey(row), row]));
    const renewed = (row: T): T => newer.get(rowKey(row)) ?? row;
    head.value = head.value.map(renewed);
    tail.value = tail.value.map(renewed);
  };
  watch([first, name], renew, { immediate: true });
  const rows = computed(() => {
    const inHead = new Set(head.value.map(rowKey));
    return [...head.value, ...tail.value.filter((row) => !inHead.has(rowKey(row)))];
  });
  return { rows, tail, cursor, moreError, show };
}
export type List<T> = ReturnType<typeof useList<T>>;
