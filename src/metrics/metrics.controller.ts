import { Controller, Get, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Scope } from '../auth/scope.js';
import { MetricsService } from './metrics.service.js';

/** `/metrics`: for Prometheus. */
@ApiTags('health')
@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: MetricsService) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({ summary: 'Metrics in the text format of Prometheus' })
  @ApiProduces('text/plain')
  @ApiResponse({
    status: 200,
    description: 'Metrics',
    schema: {
      type: 'string',
      example: 'hub_ticket_age_seconds{component="wx0123456789abcdef"} 42',
    },
  })
  async read(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    reply.header('content-type', this.metrics.contentType);
    return this.metrics.text();
  }
}
