/** Placeholders of a list of values. */
export function marks(count: number): string {
  return Array.from({ length: count }, () => '?').join(', ');
}

/** A list in pieces of a size that one statement takes. */
export function piecesOf<T>(list: T[], size: number): T[][] {
  const pieces: T[][] = [];
  for (let at = 0; at < list.length; at += size) pieces.push(list.slice(at, at + size));
  return pieces;
}
