import type { EntityTarget } from 'typeorm';
import type { TokenColumns } from './token-columns.js';

/** Which table, which row of it, and the place of its secret. */
export interface TokenTable<E extends TokenColumns> {
  entity: EntityTarget<E>;
  /** Identity columns of a row, by property. */
  identity: (key: string) => Partial<E>;
  /** The inverse of `identity`. */
  key(row: E): string;
  location: (key: string) => string;
  /**
   * Largest share of a token's life by which its refresh is moved forward at random, so that
   * tokens that were got together are not refreshed together. Default 0.
   */
  spread?: number;
  /** Whether a row is made for a key that has none; default true. */
  createRows?: boolean;
  /**
   * Whether the token of a due row is not worth keeping warm: it leaves the index of due rows and
   * is refreshed when somebody reads it.
   */
  isCold?(row: E): boolean;
}
