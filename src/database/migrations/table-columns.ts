import type { TableColumnOptions } from 'typeorm';

type Options = Partial<TableColumnOptions>;

/** Short forms of the column types that both databases have. */
export function varchar(name: string, length: number, options: Options = {}): TableColumnOptions {
  return { name, type: 'varchar', length: String(length), ...options };
}

export function bigint(name: string, options: Options = {}): TableColumnOptions {
  return { name, type: 'bigint', ...options };
}

export function text(name: string, options: Options = {}): TableColumnOptions {
  return { name, type: 'text', ...options };
}

export const nullable: Options = { isNullable: true };
export const primary: Options = { isPrimary: true };
