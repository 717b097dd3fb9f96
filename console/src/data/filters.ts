import { computed, type ComputedRef } from 'vue';
import { useRoute, useRouter, type LocationQuery } from 'vue-router';

/** Reads one value of the address; undefined for what makes no sense. */
export type Reader<T> = (text: string) => T | undefined;

/** Any text up to `longest` characters. */
export function text(longest = 200): Reader<string> {
  return (value) => (value.trim() === '' || value.length > longest ? undefined : value.trim());
}

/** One of some words. */
export function oneOf<const T extends string>(...words: T[]): Reader<T> {
  return (value) => words.find((word) => word === value);
}

/** Several of some words, separated by commas; words that are none of them are left out. */
export function someOf<const T extends string>(...words: T[]): Reader<T[]> {
  return (value) => {
    const named = value.split(',');
    const known = words.filter((word) => named.includes(word));
    return known.length > 0 ? known : undefined;
  };
}

/** A moment, as ISO 8601 in UTC; what the browser cannot read as one is left out. */
export const time: Reader<string> = (value) => {
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
};

type Values<R extends Record<string, Reader<unknown>>> = {
  [K in keyof R]?: NonNullable<ReturnType<R[K]>>;
};

/** The filters of a list: they live in the address and nowhere else. */
export interface Filters<V = Record<string, unknown>> {
  values: ComputedRef<V>;
  /** How many are set. */
  count: ComputedRef<number>;
  /** Sets some; undefined or '' takes one away. */
  set(changes: Partial<Record<string, unknown>>): void;
  clear(): void;
}

function first(query: LocationQuery, name: string): string {
  const value = query[name];
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

/**
 * @param readers by name, how each is read; nonsense in the address counts as not set.
 * @example const filters = useFilters({ status: someOf('pending', 'dead'), account: text() });
 */
export function useFilters<R extends Record<string, Reader<unknown>>>(
  readers: R,
): Filters<Values<R>> {
  const route = useRoute();
  const router = useRouter();
  const names = Object.keys(readers);
  const values = computed(() => {
    const found = names.map((name) => [name, readers[name]?.(first(route.query, name))]);
    return Object.fromEntries(found.filter(([, value]) => value !== undefined)) as Values<R>;
  });
  const set = (changes: Partial<Record<string, unknown>>): void => {
    const query = { ...route.query };
    for (const [name, value] of Object.entries(changes)) {
      const written = Array.isArray(value) ? value.join(',') : String(value ?? '');
      if (written === '') delete query[name];
      else query[name] = written;
    }
    void router.replace({ query });
  };
  return {
    values,
    count: computed(() => Object.keys(values.value).length),
    set,
    clear: () => set(Object.fromEntries(names.map((name) => [name, undefined]))),
  };
}

/** The platform that the person looks at, from the switch on top; undefined for all. */
export function usePlatform(): ComputedRef<string | undefined> {
  const route = useRoute();
  return computed(() => text(64)(first(route.query, 'component')));
}
