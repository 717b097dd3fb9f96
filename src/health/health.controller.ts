import { Controller, Get, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { ApiJson } from '../http/api-docs.js';
import { HealthService } from './health.service.js';
import { downExample, liveView, readyExample, readyView, type ReadyView } from './health.views.js';

/** `/health`: for load balancers and orchestrators. */
@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(private readonly health: HealthService) {}

  @Get('live')
  @Scope('none')
  @ApiOperation({ operationId: 'getLiveness', summary: 'The process answers' })
  @ApiJson(liveView, { status: 'up' })
  live(): z.infer<typeof liveView> {
    return { status: 'up' };
  }

  @Get('ready')
  @Scope('none')
  @ApiOperation({
    operationId: 'getReadiness',
    summary: 'The process can do its work; details per third-party platform',
  })
  @ApiJson(readyView, readyExample)
  @ApiJson(readyView, downExample, {
    status: 503,
    description: 'The database cannot be reached, or the hub will stop',
  })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<ReadyView> {
    const view = await this.health.ready();
    reply.status(view.status === 'down' ? 503 : 200);
    return view;
  }
}
