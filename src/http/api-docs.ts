import { applyDecorators } from '@nestjs/common';
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

/** What all routes of `/admin` and `/api` have in common: the admin token, or an API key. */
export function ApiBearer(): ClassDecorator & MethodDecorator {
  return applyDecorators(
    ApiBearerAuth(),
    ApiHubError(
      401,
      'unauthorized',
      'The bearer token is missing or wrong. Also key_expired, key_revoked and session_ended',
    ),
    ApiHubError(
      403,
      'missing_scope',
      'The API key or the role lacks the scope that the answer names. Also not_allowed: `missing` ' +
        'says whether the key is limited to other platforms, accounts or networks; cross_origin and ' +
        'confirmation_required of sessions',
    ),
    ApiHubError(
      429,
      'too_many_attempts',
      'The token is wrong, and more than 20 were from this address within a minute. Also ' +
        'rate_limited: the API key has spent its requests of this minute',
    ),
  );
}

/**
 * How the framework makes the document. A schema with `meta({ id })` is there once, under that name:
 * what programs generate from the document then has a type of it.
 */
export const DOCUMENT_OPTIONS: SwaggerDocumentOptions = {
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

/** Drops what a whole number or a time is anyway. */
function leaveOutTheObvious(json: z.core.JSONSchema.BaseSchema): void {
  if (json.minimum === Number.MIN_SAFE_INTEGER) delete json.minimum;
  if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum;
  if (json.format === 'date-time') delete json.pattern;
}

/** The schema that all errors have, once in the document. */
export function nameErrors(document: OpenAPIObject): void {
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Error: errorSchema },
  };
}

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
