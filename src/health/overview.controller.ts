import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Scope } from '../auth/scope.js';
import { ApiBearer, ApiJson } from '../http/api-docs.js';
import { OverviewService } from './overview.service.js';
import { overviewExample, overviewView, type OverviewView } from './overview.views.js';

/** `/admin/overview`: whether all works, and what does not. */
@ApiTags('overview')
@ApiBearer()
@Controller('admin/overview')
export class OverviewController {
  constructor(private readonly overviews: OverviewService) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({
    summary: 'Ticket, token, accounts, deliveries and subscriptions of every platform',
    description: 'Cheap enough to be asked every few seconds: what is counted is counted seldom.',
  })
  @ApiJson(overviewView, overviewExample)
  get(): Promise<OverviewView> {
    return this.overviews.overview();
  }
}
