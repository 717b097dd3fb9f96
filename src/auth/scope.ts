import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiExtension } from '@nestjs/swagger';

/** What an API key may be allowed to do. `admin` is everything. */
export const SCOPES = [
  'token:read',
  'token:refresh',
  'proxy',
  'events:read',
  'admin:read',
  'admin',
] as const;
export type ScopeName = (typeof SCOPES)[number];

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Scopes that open the route, any one of them; see {@link Scope}. */
    scopes?: ScopeName[];
  }
}

/**
 * The scope that an API key needs for a route; `none` for a route that is open to everybody. A
 * limited key gets only to routes that name an allowed platform as `:componentAppId` and an allowed
 * account as `:authorizerAppId` in their address, so these names are not for anything else.
 * @param or another scope that is enough.
 */
export function Scope(scope: ScopeName | 'none', { or }: { or?: ScopeName } = {}): MethodDecorator {
  const extension = ApiExtension('x-scope', scope);
  if (scope === 'none') return extension;
  return applyDecorators(RouteConfig({ scopes: or ? [scope, or] : [scope] }), extension);
}
