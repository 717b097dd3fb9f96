import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import { HubError } from './hub-error.js';
import { currentRequestId } from './request-context.js';
import { workerNumber } from './worker.js';

/** Contexts of Nest's own start-up lines, which say nothing to an operator. */
const FRAMEWORK_CONTEXTS = new Set([
  'InstanceLoader',
  'NestFactory',
  'NestApplication',
  'RouterExplorer',
  'RoutesResolver',
]);

const LEVELS: LogLevel[] = ['fatal', 'error', 'warn', 'log', 'debug', 'verbose'];

/** Values of `LOG_LEVEL`, from quiet to talkative. */
export const LOG_LEVEL_NAMES = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevelName = (typeof LOG_LEVEL_NAMES)[number];

/**
 * JSON lines on stdout, each with the request id of the push or call that caused it.
 * Sentences are fixed and values go into fields; credentials are {@link Secret}s and print as such.
 * The list of names below is the second net, for text that a library hands us.
 */
export class HubLogger extends ConsoleLogger {
  /** @param write where lines go; stdout by default. */
  constructor(
    level: LogLevelName,
    private readonly write: (line: string) => void = (line) => process.stdout.write(line),
  ) {
    const lowest = level === 'info' ? 'log' : level;
    super({
      json: true,
      colors: false,
      flattenParams: true,
      logLevels: LEVELS.slice(0, LEVELS.indexOf(lowest) + 1),
      redact: [
        'component_access_token',
        'component_verify_ticket',
        'component_appsecret',
        'component_secret',
        'access_token',
        'authorization',
        'parameters',
        'query',
      ],
    });
  }

  override log(message: unknown, ...rest: unknown[]): void {
    const quiet = FRAMEWORK_CONTEXTS.has(String(rest.at(-1)));
    super[quiet ? 'debug' : 'log'](message, ...rest);
  }

  /** Settings that are wrong are said once, where the start ends: the framework adds only a stack. */
  override error(message: unknown, ...rest: unknown[]): void {
    const isSetting = message instanceof HubError && message.code === 'config_invalid';
    if (!isSetting || rest.at(-1) !== 'ExceptionHandler') super.error(message, ...rest);
  }

  protected override getJsonLogObject(
    message: unknown,
    options: Parameters<ConsoleLogger['getJsonLogObject']>[1],
  ): ReturnType<ConsoleLogger['getJsonLogObject']> {
    const requestId = currentRequestId();
    const line = super.getJsonLogObject(message, options);
    const level = (options.logLevel === 'log' ? 'info' : options.logLevel) as LogLevel;
    return {
      ...line,
      level,
      ...(workerNumber === undefined ? {} : { worker: workerNumber }),
      ...(requestId === undefined ? {} : { requestId }),
    };
  }

  protected override printAsJson(
    message: unknown,
    options: Parameters<ConsoleLogger['printAsJson']>[1],
  ): void {
    this.write(`${this.stringifyJsonLogObject(this.getJsonLogObject(message, options))}\n`);
  }

  /** Database errors carry the statement and its parameters: neither belongs in a log. */
  protected override serializeError(error: Error): Record<string, unknown> {
    const { name, message, stack, cause } = error;
    const code = (error as { code?: unknown }).code;
    return {
      name,
      message,
      ...(code === undefined ? {} : { code }),
      stack,
      ...(cause instanceof Error ? { cause: this.serializeError(cause) } : {}),
    };
  }
}
