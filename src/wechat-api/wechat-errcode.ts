/** What a failed call means for the caller; the errcodes of each are in {@link kindOfErrcode}. */
export type FailureKind =
  | 'busy'
  | 'quota'
  | 'rate'
  | 'ticket'
  | 'secret'
  | 'token'
  | 'ip'
  | 'banned'
  | 'request'
  | 'code'
  | 'refresh_token'
  | 'withdrawn'
  | 'network'
  | 'proxy'
  | 'garbage'
  | 'unknown';

const KINDS: Record<number, FailureKind> = {
  [-1]: 'busy',
  45009: 'quota',
  48006: 'quota',
  45011: 'rate',
  61005: 'ticket',
  61006: 'ticket',
  40013: 'secret',
  40125: 'secret',
  41002: 'secret',
  41004: 'secret',
  61011: 'secret',
  40001: 'token',
  40014: 'token',
  42001: 'token',
  40164: 'ip',
  45035: 'ip',
  61004: 'ip',
  48004: 'banned',
  50002: 'banned',
  61028: 'banned',
  61009: 'code',
  61010: 'code',
  42007: 'refresh_token',
  61023: 'refresh_token',
  61003: 'withdrawn',
  41001: 'request',
  43002: 'request',
  44002: 'request',
  47001: 'request',
  48001: 'request',
};

/** Kinds that a wrong AppSecret may have; 40001 is documented for one, too. */
export const SECRET_REFUSALS: FailureKind[] = ['secret', 'token'];

/** The meaning of WeChat's errcode, where it is known. */
export function kindOfErrcode(errcode: number): FailureKind {
  return KINDS[errcode] ?? 'unknown';
}
