/**
 * Options of an LRU cache that holds so many entries. As a size, the limit takes memory when it is
 * used; as `max` it takes the memory of all at once, some milliseconds of a start for each cache.
 */
export function atMost(entries: number): { maxSize: number; sizeCalculation: () => number } {
  return { maxSize: entries, sizeCalculation: () => 1 };
}
