import {
  ApiBearerAuth,
  ApiResponse,
  type ApiResponseOptions,
  type OpenAPIObject,
  type SwaggerDocumentOptions,
} from '@nestjs/swagger';
import { z } from 'zod';

/** Documents a JSON answer by the schema that the code uses, with an example of it. */
export function ApiJson<S extends z.ZodType>(
  schema: S,
  example: z.input<S>,
  { status = 200, description = '' }: { status?: number; description?: string } = {},
): MethodDecorator {
  // The example as its own text: the types of the framework know objects and texts only.
  return ApiResponse({
    status,
    description,
    standardSchema: schema,
    example,
  } as ApiResponseOptions);
}

/** Documents an error answer: its status, code and when it comes. */
export function ApiHubError(
  status: number,
  code: string,
  description: string,
): MethodDecorator & ClassDecorator {
  return ApiResponse({ status, ...hubErrorResponse(code, description) });
}

/** An error answer as the document has it. */
export function hubErrorResponse(code: string, description: string) {
  return {
    description: `\`${code}\`: ${description}`,
    content: {
      'application/json': {
        schema: { $ref: '#/components/schemas/Error' },
        example: {
          error: { code, message: description, id: '0199a3f0-7c1e-7a54-9c1d-1f2e3d4c5b6a' },
        },
      },
    },
  };
}

/** The admin token, or an API key; what comes without is added by {@link finishDocument}. */
export function ApiBearer(): ClassDecorator & MethodDecorator {
  return ApiBearerAuth();
}

/**
 * How the framework makes the document. Operations have the names that functions of a generated
 * client have. A schema with `meta({ id })` is there once, under that name:
 * what programs generate from the document then has a type of it.
 */
export const DOCUMENT_OPTIONS: SwaggerDocumentOptions = {
  operationIdFactory: (controller, method) => operationId(controller, method),
  standardSchemaConverter: (schema) => {
    const {
      $schema: _,
      $defs,
      ...json
    } = z.toJSONSchema(schema as z.ZodType, {
      io: 'input',
      override: ({ jsonSchema }) => leaveOutTheObvious(jsonSchema),
    });
    return { schema: json as object, components: $defs as Record<string, object> };
  },
};

/** `SubscriptionController.rotateSecret`: `rotateSubscriptionSecret`; that of lists and exports in the plural. */
function operationId(controller: string, method: string): string {
  const noun = controller.replace(/(?:Admin|Log)?Controller$/, '');
  const [, verb = '', rest = ''] = /^([a-z]+)(.*)$/.exec(method) ?? [];
  if (verb !== 'list' && verb !== 'export') return `${verb}${noun}${rest}`;
  const plural = noun.replace(/(?<![aeiou])y$/, 'ie').replace(/sh$/, 'she');
  return `${verb}${plural}s${rest}`;
}

/** Drops what a whole number or a time is anyway. */
function leaveOutTheObvious(json: z.core.JSONSchema.BaseSchema): void {
  if (json.minimum === Number.MIN_SAFE_INTEGER) delete json.minimum;
  if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum;
  if (json.format === 'date-time') delete json.pattern;
}

/** Adds what operations have in common: the schema of errors, and the errors of any route. */
export function finishDocument(document: OpenAPIObject): void {
  const components = (document.components ??= {});
  components.schemas = { ...components.schemas, Error: errorSchema };
  components.responses = Object.fromEntries(
    COMMON_ERRORS.map(({ name, answer }) => [name, answer]),
  );
  for (const [path, methods] of Object.entries(document.paths)) {
    // Errors of the drop-in address have WeChat's form.
    if (path.startsWith('/wx')) continue;
    for (const [method, operation] of Object.entries(methods as Record<string, Operation>)) {
      for (const { status, name, answer, where } of COMMON_ERRORS) {
        if (!where({ path, method, operation })) continue;
        const own = operation.responses[status] as { description: string } | undefined;
        operation.responses[status] = own
          ? { ...own, description: `${own.description}\n\n${answer.description}` }
          : { $ref: `#/components/responses/${name}` };
      }
    }
  }
}

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

interface CommonError {
  status: number;
  /** As a generated client has it. */
  name: string;
  answer: ReturnType<typeof hubErrorResponse>;
  /** Whether a route may answer it, whose method is in small letters. */
  where: (route: { path: string; method: string; operation: Operation }) => boolean;
}

const wantsBearer: CommonError['where'] = ({ operation }) =>
  operation.security?.some((one) => 'bearer' in one) ?? false;

/** A route may have an error of the same status that says more: then both are described there. */
const COMMON_ERRORS: CommonError[] = [
  {
    status: 400,
    name: 'BadRequest',
    answer: hubErrorResponse('bad_request', 'Path, query or body are not what the route takes'),
    where: () => true,
  },
  {
    status: 401,
    name: 'Unauthorized',
    answer: hubErrorResponse(
      'unauthorized',
      'The bearer token is missing or wrong. Also key_expired, key_revoked and session_ended',
    ),
    where: wantsBearer,
  },
  {
    status: 403,
    name: 'Forbidden',
    answer: hubErrorResponse(
      'missing_scope',
      'The API key or the role lacks the scope that the answer names. Also not_allowed: `missing` ' +
        'says whether the key is limited to other platforms, accounts or networks; cross_origin and ' +
        'confirmation_required of sessions',
    ),
    where: wantsBearer,
  },
  {
    status: 429,
    name: 'TooManyRequests',
    answer: hubErrorResponse(
      'too_many_attempts',
      'The token is wrong, and more than 20 were from this address within a minute. Also ' +
        'rate_limited: the API key has spent its requests of this minute',
    ),
    where: wantsBearer,
  },
  {
    status: 404,
    name: 'NotFound',
    answer: hubErrorResponse('not_found', 'There is no such route: a part of the path is missing'),
    where: ({ path }) => path.includes('{'),
  },
  {
    status: 413,
    name: 'BodyTooLarge',
    answer: hubErrorResponse('body_too_large', 'The body is longer than 64 KiB'),
    where: ({ method }) => method !== 'get',
  },
  {
    status: 414,
    name: 'UriTooLong',
    answer: hubErrorResponse('uri_too_long', 'A part of the path is longer than any id'),
    where: ({ path }) => path.includes('{'),
  },
  {
    status: 415,
    name: 'UnsupportedMediaType',
    answer: hubErrorResponse('unsupported_media_type', 'Send application/json'),
    where: ({ path, method }) => method !== 'get' && !/^\/(?:callback|proxy)\//.test(path),
  },
  {
    status: 503,
    name: 'Unavailable',
    answer: hubErrorResponse('stopping', 'The hub is stopping; ask again'),
    where: () => true,
  },
];

const errorSchema = {
  type: 'object' as const,
  required: ['error'],
  properties: {
    error: {
      type: 'object' as const,
      required: ['code', 'message', 'id'],
      additionalProperties: true,
      properties: {
        code: { type: 'string' as const, description: 'Stable; programs may rely on it' },
        message: { type: 'string' as const, description: 'For people' },
        id: { type: 'string' as const, description: 'The request id, to be found in the log' },
        errcode: {
          type: 'integer' as const,
          description: "WeChat's errcode, where WeChat refused",
        },
        rid: { type: 'string' as const, description: "WeChat's request id" },
      },
    },
  },
};

/** Query `reveal=true`: show secrets, which is audited; otherwise they are masked. */
export const revealQuery = z.object({
  reveal: z
    .enum(['true', 'false'])
    .default('false')
    .transform((value) => value === 'true'),
});
export type RevealQuery = z.output<typeof revealQuery>;
