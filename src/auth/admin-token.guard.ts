import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { HubError } from '../common/hub-error.js';
import { AdminTokenService } from './admin-token.service.js';
import { WrongBearers } from './wrong-bearers.js';

/** Lets through `Authorization: Bearer <ADMIN_TOKEN>`; anything else is 401 `unauthorized`. */
@Injectable()
export class AdminTokenGuard implements CanActivate {
  constructor(
    private readonly adminToken: AdminTokenService,
    private readonly wrong: WrongBearers,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<FastifyRequest>();
    if (!this.accepts(headers.authorization)) throw unauthorized();
    return true;
  }

  /** Whether the value of an `Authorization` header is the right one. */
  accepts(authorization = ''): boolean {
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    return token !== undefined && this.adminToken.matches(token);
  }

  /**
   * Checks a request before its body is read, and counts those that are refused.
   * @throws {HubError} 401 `unauthorized`; 429 `too_many_attempts` where the sender had many
   */
  check({ headers, ip }: FastifyRequest): void {
    if (this.accepts(headers.authorization)) return;
    const retryAfterSeconds = this.wrong.count(ip);
    throw retryAfterSeconds === 0 ? unauthorized() : tooMany(retryAfterSeconds);
  }
}

function unauthorized(): HubError {
  return new HubError('unauthorized', 'Send "Authorization: Bearer <ADMIN_TOKEN>"', {
    status: 401,
    level: 'log',
  });
}

function tooMany(retryAfterSeconds: number): HubError {
  return new HubError('too_many_attempts', 'Too many requests with a wrong bearer token', {
    status: 429,
    level: 'log',
    details: { retryAfterSeconds },
  });
}
