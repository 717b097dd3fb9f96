import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { HubError } from '../common/hub-error.js';
import { AdminTokenService } from './admin-token.service.js';

/** Lets through `Authorization: Bearer <ADMIN_TOKEN>`; anything else is 401 `unauthorized`. */
@Injectable()
export class AdminTokenGuard implements CanActivate {
  constructor(private readonly adminToken: AdminTokenService) {}

  canActivate(context: ExecutionContext): boolean {
    const { authorization } = context.switchToHttp().getRequest<FastifyRequest>().headers;
    if (!this.accepts(authorization)) {
      throw new HubError('unauthorized', 'Send "Authorization: Bearer <ADMIN_TOKEN>"', {
        status: 401,
      });
    }
    return true;
  }

  /** Whether the value of an `Authorization` header is the right one. */
  accepts(authorization = ''): boolean {
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    return token !== undefined && this.adminToken.matches(token);
  }
}
