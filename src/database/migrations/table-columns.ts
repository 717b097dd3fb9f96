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

/** Columns of every table that the token engine keeps. */
export function tokenColumns(): TableColumnOptions[] {
  return [
    text('access_token', nullable),
    { name: 'expires_in', type: 'integer', isNullable: true },
    bigint('obtained_at', nullable),
    bigint('expires_at', nullable),
    bigint('refresh_at', nullable),
    { name: 'generation', type: 'integer', default: 0 },
    bigint('invalidated_at', nullable),
    bigint('forced_at', nullable),
    varchar('lease_owner', 36, nullable),
    bigint('lease_until', nullable),
    { name: 'attempts', type: 'integer', default: 0 },
    bigint('next_attempt_at', nullable),
    text('last_error', nullable),
  ];
}
