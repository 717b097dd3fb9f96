import { Column, type ColumnOptions, type DataSource } from 'typeorm';

const longTextColumns = new Map<unknown, Set<string>>();

/** A column of Unix milliseconds, or another whole number beyond 32 bits, as a JavaScript number. */
export function BigIntColumn(
  options: Omit<ColumnOptions, 'type' | 'transformer'> = {},
): PropertyDecorator {
  return Column({
    ...options,
    type: 'bigint',
    transformer: {
      to: (value: unknown) => value,
      from: (value: string | number | null) => (value === null ? null : Number(value)),
    },
  });
}

/**
 * Text of up to 16 MiB: `text` on SQLite, `mediumtext` on MySQL, whose `text` ends at 64 KiB.
 * TypeORM fixes a column's type when the class is read, before the database is known;
 * {@link applyLongTextColumns} mends it once it is.
 */
export function LongTextColumn(options: Omit<ColumnOptions, 'type'> = {}): PropertyDecorator {
  return (target, property) => {
    const properties = longTextColumns.get(target.constructor) ?? new Set<string>();
    longTextColumns.set(target.constructor, properties.add(String(property)));
    Column({ ...options, type: 'text' })(target, property);
  };
}

/** Gives every {@link LongTextColumn} the type that its database needs. */
export function applyLongTextColumns(dataSource: DataSource): void {
  if (dataSource.options.type === 'better-sqlite3') return;
  for (const entity of dataSource.entityMetadatas) {
    for (const column of entity.columns) {
      if (longTextColumns.get(entity.target)?.has(column.propertyName)) column.type = 'mediumtext';
    }
  }
}
