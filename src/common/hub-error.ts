/** Log level of an error: `log` is `info`, `error` means that a person must act. */
export type ErrorLevel = 'debug' | 'log' | 'warn' | 'error';

/** How a {@link HubError} is answered and logged. */
export interface HubErrorOptions {
  /** HTTP status of the answer. */
  status: number;
  /** Defaults to `debug` below 500 and `warn` from 500 on. */
  level?: ErrorLevel;
  /**
   * Further fields of the answer's `error` object, WeChat's own names where they are WeChat's.
   * `retryAfterSeconds` is sent as `Retry-After`, too.
   */
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** Every error that the hub answers on purpose: a stable code, a fitting status, a sentence that helps. */
export class HubError extends Error {
  readonly code: string;
  readonly status: number;
  readonly level: ErrorLevel;
  readonly details: Record<string, unknown>;

  constructor(code: string, message: string, options: HubErrorOptions) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.status = options.status;
    this.level = options.level ?? (options.status >= 500 ? 'warn' : 'debug');
    this.details = options.details ?? {};
  }
}

/** The body that answers an error: the form that all of the hub's errors have. */
export function errorBody({ code, message, details }: HubError, id: string): object {
  return { error: { code, message, id, ...details } };
}
