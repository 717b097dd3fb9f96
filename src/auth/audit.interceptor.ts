import {
  applyDecorators,
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiExtension } from '@nestjs/swagger';
import { from, lastValueFrom, type Observable } from 'rxjs';
import type { Caller, KnownRequest } from '../http/caller.js';
import { AuditService, type AuditAction } from './audit.service.js';
import { declinesContent } from './scope.js';

/** What of a route is recorded. */
interface AuditedRoute {
  action: AuditAction;
  /**
   * Whether its answer shows what is secret: where it is asked for (`?reveal=true`), unless it is
   * declined (`?content=false`), or always.
   */
  shows?: 'asked' | 'unless_declined' | 'always';
}

/** Who asks for what is open to everybody, until that shows. */
const UNKNOWN: Caller = { actor: 'unknown', kind: 'system', name: null };

const Route = Reflector.createDecorator<AuditedRoute>();

/**
 * A route that leaves a record in the audit trail. The target is what its address names; a handler
 * says more by {@link AuditService.about}.
 */
export function Audited(
  action: AuditAction,
  { shows }: Pick<AuditedRoute, 'shows'> = {},
): MethodDecorator {
  return applyDecorators(Route({ action, shows }), ApiExtension('x-audit', action));
}

/** Has the routes that are {@link Audited} recorded, once it is known who asks. */
@Injectable()
export class AuditInterceptor implements NestInterceptor {
  constructor(
    private readonly reflector: Reflector,
    private readonly audit: AuditService,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const route = this.reflector.get(Route, context.getHandler());
    if (!route) return next.handle();
    const request = context.switchToHttp().getRequest<KnownRequest>();
    const { method, ip, params, query, caller = UNKNOWN, routeOptions } = request;
    const { action, shows } = route;
    if (shows === 'asked' && (query as { reveal?: unknown }).reveal !== 'true') {
      return next.handle();
    }
    if (shows === 'unless_declined' && declinesContent(query)) return next.handle();
    const target = Object.values(params as Record<string, string>).join('/') || '*';
    const isRead = shows !== undefined && method === 'GET';
    const isOpen = routeOptions.config.open === true;
    const facts = { caller, action, target, sourceAddress: ip };
    const act = { ...facts, shows: shows !== undefined, isRead, isOpen };
    const handle = (): Promise<unknown> =>
      lastValueFrom(next.handle(), { defaultValue: undefined });
    return from(this.audit.during(act, handle));
  }
}
