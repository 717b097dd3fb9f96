import { z } from 'zod';
import type { HubError } from '../common/hub-error.js';

/** Why something that is shown cannot be read. */
export const problemView = z
  .object({ code: z.string(), message: z.string() })
  .meta({ id: 'Problem' });

/** The part of an answer that says why something cannot be read; empty where it can. */
export function errorOf(problem: HubError | undefined): { error?: z.infer<typeof problemView> } {
  return problem ? { error: { code: problem.code, message: problem.message } } : {};
}
