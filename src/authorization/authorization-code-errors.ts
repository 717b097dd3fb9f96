import { HubError } from '../common/hub-error.js';

/** The code counts for another request than the one it came with. */
export function foreignCode(): HubError {
  return new HubError('authorization_code_foreign', 'This authorization belongs to another link', {
    status: 409,
    level: 'warn',
  });
}

/** There is no result yet; the timer goes on. */
export function codeInProgress(cause?: unknown): HubError {
  return new HubError('authorization_in_progress', 'The authorization is still being processed', {
    status: 503,
    cause,
  });
}
