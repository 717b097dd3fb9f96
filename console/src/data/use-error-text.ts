import { t, te } from '../texts';
import { ApiError } from './api';

/** What went wrong, in the reader's language. */
export function useErrorText() {
  const textOf = (error: unknown): string => {
    if (!(error instanceof ApiError)) return t('errors.unknown', { message: String(error) });
    const key = `errors.${error.code}`;
    if (te(key)) return t(key, { ...error.details, seconds: error.retryAfter ?? 60 });
    return t('errors.other', { code: error.code, message: error.message });
  };
  const idOf = (error: unknown): string => (error instanceof ApiError ? error.id : '');
  return { textOf, idOf };
}
