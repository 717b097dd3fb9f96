/** A column of a data table; what it shows is its slot `cell-<key>`. */
export interface Column {
  key: string;
  title: string;
  /** Numbers: at the end of the cell. */
  end?: boolean;
  /** Left out of the cards of a phone. */
  wide?: boolean;
  /** The title of a card: across it and without its name. */
  head?: boolean;
  /** Its name is for those who do not see it, as of a column of buttons. */
  unnamed?: boolean;
}

/** A field of a filter bar; its name is that of the filter. */
export type FilterField = { name: string; label: string } & (
  | { kind: 'text'; placeholder?: string; suggestions?: { value: string; text: string }[] }
  | { kind: 'account' }
  | { kind: 'one'; options: { value: string; text: string }[] }
  | { kind: 'some'; options: { value: string; text: string }[] }
  | { kind: 'range'; from: string; to: string }
);
