import { StandardSchemaValidationPipe, type ArgumentMetadata } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** Longest JSON that is read, in bytes; the longest that means anything has some 5 KiB. */
export const JSON_LIMIT = 64 * 1024;

type Parse = (json: string) => unknown;

/** A body that says it is JSON, as it came; it is parsed by {@link RequestPipe}. */
class UnparsedJson {
  constructor(
    private readonly json: string,
    private readonly parse: Parse,
  ) {}

  /** @throws Fastify's 400 for what is not JSON, or has names that reach for prototypes. */
  parsed(): unknown {
    // Clients name the type also where there is nothing to send.
    return this.json === '' ? undefined : this.parse(this.json);
  }
}

/** Takes bodies of `application/json` and leaves them unparsed. */
export function useJsonBodies(fastify: FastifyInstance): void {
  const parse = jsonParser(fastify);
  const options = { parseAs: 'string', bodyLimit: JSON_LIMIT } as const;
  fastify.addContentTypeParser('application/json', options, (_, body, done) => {
    done(null, new UnparsedJson(String(body), parse));
  });
}

function jsonParser(fastify: FastifyInstance): Parse {
  const parseJson = fastify.getDefaultJsonParser('error', 'error');
  return (json) => {
    let outcome: { error: Error | null; value?: unknown } | undefined;
    // It looks at no request and calls back at once.
    void parseJson({} as FastifyRequest, json, (error, value) => (outcome = { error, value }));
    if (outcome?.error) throw outcome.error;
    return outcome?.value;
  };
}

/**
 * Parses and validates what a handler takes. Pipes run after guards: text made to be dear to a
 * parser costs nothing before it is known who sent it.
 */
export class RequestPipe extends StandardSchemaValidationPipe {
  override transform<T>(value: T, metadata: ArgumentMetadata): Promise<T> {
    const given = value instanceof UnparsedJson ? value.parsed() : value;
    return super.transform(given as T, metadata);
  }
}
