import { z } from 'zod';
import { remarkIn } from '../common/remarks.js';

const parts = {
  code: z.string(),
  facts: z.record(z.string(), z.string()).describe('The names and figures in it'),
};

/** A sentence of the hub's by its code. */
export const remarkView = z
  .object({ ...parts, why: z.object(parts).nullable().describe('The sentence within it') })
  .meta({ id: 'Remark' });
export type RemarkView = z.infer<typeof remarkView>;

/** Beside a field that holds such a sentence: for readers of other languages than English. */
export const remarkOf = (field: string) =>
  remarkView
    .nullable()
    .describe(`\`${field}\` by its code; null where that is null, or not in the hub's words`);

export function toRemarkView(text: string | null): RemarkView | null {
  return remarkIn(text);
}
