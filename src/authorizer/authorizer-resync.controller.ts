import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { HubError } from '../common/hub-error.js';
import { ApiComponentAppId } from '../component/component-app-id.js';
import type { AuthorizerResync } from './authorizer-resync.entity.js';
import { AuthorizerResyncService } from './authorizer-resync.service.js';
import { isoTime } from '../common/times.js';
import { appidParam, timeView } from '../http/field-schemas.js';

const resyncView = z
  .object({
    done: z.int().describe("Accounts of WeChat's list that were compared"),
    total: z.int(),
    startedAt: timeView,
    finishedAt: timeView.nullable(),
  })
  .meta({ id: 'AuthorizerResync' });
type ResyncView = z.infer<typeof resyncView>;
const example: ResyncView = {
  done: 500,
  total: 1234,
  startedAt: '2026-11-22T08:00:00.000Z',
  finishedAt: null,
};

/** `/admin/components/…/authorizers/resync`: comparison with WeChat's list of accounts. */
@ApiTags('authorizers')
@ApiBearer()
@Controller('admin/components/:componentAppId/authorizers/resync')
export class AuthorizerResyncController {
  constructor(private readonly resyncs: AuthorizerResyncService) {}

  @Post()
  @Scope('admin:operate')
  @HttpCode(202)
  @Audited('authorizer.resync')
  @ApiOperation({
    summary: "Compare the records with WeChat's list of accounts",
    description:
      'Adds what is missing, repairs refresh tokens, marks what is gone, deletes nothing.',
  })
  @ApiComponentAppId()
  @ApiJson(resyncView, example, { status: 202 })
  async begin(@Param('componentAppId', { schema: appidParam }) appid: string): Promise<ResyncView> {
    const begun = await this.resyncs.begin(appid);
    void this.resyncs.goOn(appid).catch(() => undefined); // the timer goes on with it
    return toView(begun);
  }

  @Get()
  @Scope('admin:read')
  @ApiOperation({ summary: 'Progress of the last resync' })
  @ApiComponentAppId()
  @ApiHubError(404, 'resync_unknown', 'There was none yet')
  @ApiJson(resyncView, example)
  async get(@Param('componentAppId', { schema: appidParam }) appid: string): Promise<ResyncView> {
    const last = await this.resyncs.progress(appid);
    if (last) return toView(last);
    throw new HubError('resync_unknown', 'There was no resync yet', { status: 404 });
  }
}

function toView({ done, total, startedAt, finishedAt }: AuthorizerResync): ResyncView {
  return {
    done,
    total,
    startedAt: isoTime(startedAt),
    finishedAt: isoTime(finishedAt),
  };
}
