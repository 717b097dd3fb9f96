const SECOND = ['second', 1] as const;
const UNITS = [['day', 86_400], ['hour', 3600], ['minute', 60], SECOND] as const;

/**
 * The unit in which a length of time is said, and its seconds: the largest of which there are two,
 * so that 119 minutes are not said to be one hour.
 */
export function unitOf(seconds: number): (typeof UNITS)[number] {
  return UNITS.find(([, length]) => Math.abs(seconds) >= 2 * length) ?? SECOND;
}
