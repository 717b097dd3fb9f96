import { applyDecorators } from '@nestjs/common';
import { ApiBearerAuth, ApiResponse, type OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';

/** Documents a JSON answer by the schema that the code uses, with an example of it. */
export function ApiJson<S extends z.ZodType>(
  schema: S,
  example: z.input<S>,
  { status = 200, description = '' }: { status?: number; description?: string } = {},
): MethodDecorator {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input' });
  return ApiResponse({
    status,
    description,
    content: { 'application/json': { schema: json as object, example } },
  });
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
      'The bearer token is missing or wrong. Also key_expired and key_revoked',
    ),
    ApiHubError(
      403,
      'missing_scope',
      'The API key lacks the scope that the answer names. Also not_allowed: `missing` says whether ' +
        'it is limited to other platforms, accounts or networks',
    ),
    ApiHubError(
      429,
      'too_many_attempts',
      'The token is wrong, and more than 20 were from this address within a minute. Also ' +
        'rate_limited: the API key has spent its requests of this minute',
    ),
  );
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
