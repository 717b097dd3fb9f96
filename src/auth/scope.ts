import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiExtension } from '@nestjs/swagger';

/**
 * What a caller may be allowed to do, an API key or a role of the console. `admin` is everything;
 * no other scope contains another.
 */
export const SCOPES = [
  'token:read',
  'token:refresh',
  'proxy',
  'events:read',
  'admin:read',
  'admin:operate',
  'admin',
] as const;
export type ScopeName = (typeof SCOPES)[number];

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Scopes that open the route, any one of them; see {@link Scope}. */
    scopes?: ScopeName[];
    /** Another one that opens it where the content is declined. */
    withoutContent?: ScopeName;
    /** Whether it is open to everybody. */
    open?: boolean;
    /** Whether a person must have given their token or password within the last minutes. */
    confirmed?: boolean;
    /** A call of WeChat: its query, headers and body are handed on, the body as a stream. */
    forwards?: boolean;
  }
}

/**
 * The scope that a caller needs for a route; `none` for a route that is open to everybody. A
 * limited key gets only to routes that name an allowed platform as `:componentAppId` and an allowed
 * account as `:authorizerAppId` in their address, so these names are not for anything else.
 * @param or another scope that is enough.
 * @param withoutContent another scope that is enough where {@link declinesContent}.
 * @param confirmed whether a session of the console must have confirmed who it is, see
 * `POST /admin/session/confirm`.
 */
export function Scope(
  scope: ScopeName | 'none',
  {
    or,
    withoutContent,
    confirmed = false,
  }: { or?: ScopeName; withoutContent?: ScopeName; confirmed?: boolean } = {},
): MethodDecorator {
  const extension = ApiExtension('x-scope', scope);
  if (scope === 'none') return applyDecorators(RouteConfig({ open: true }), extension);
  const scopes = or ? [scope, or] : [scope];
  return applyDecorators(
    RouteConfig({ scopes, withoutContent, confirmed }),
    extension,
    ...(confirmed ? [ApiExtension('x-confirmed', true)] : []),
  );
}

/** Whether a request asks for nothing that is decrypted; what is malformed asks, to be sure. */
export function declinesContent(query: unknown): boolean {
  return (query as { content?: unknown }).content === 'false';
}
