import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { ApiComponentAppId } from '../component/component-app-id.js';
import { ComponentService } from '../component/component.service.js';
import { ReleaseCheckRunStore } from './release-check-run.store.js';
import {
  releaseCheckBody,
  releaseCheckExample,
  releaseCheckRunsView,
  releaseCheckRunView,
  type ReleaseCheckBody,
  type ReleaseCheckRunsView,
  type ReleaseCheckRunView,
} from './release-check.views.js';
import { ReleaseSelfCheck } from './release-self-check.js';
import { appidParam } from '../http/field-schemas.js';

/** `/admin/components/…/release-check`: whether WeChat's release check would pass. */
@ApiTags('components')
@ApiBearer()
@Controller('admin/components/:componentAppId/release-check')
export class ReleaseCheckController {
  constructor(
    private readonly check: ReleaseSelfCheck,
    private readonly components: ComponentService,
    private readonly runs: ReleaseCheckRunStore,
  ) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({
    operationId: 'listReleaseChecks',
    summary: 'The newest 20 checks, as they ended',
  })
  @ApiComponentAppId()
  @ApiJson(releaseCheckRunsView, { runs: [releaseCheckExample] })
  async list(
    @Param('componentAppId', { schema: appidParam }) appid: string,
  ): Promise<ReleaseCheckRunsView> {
    const { appid: known } = await this.components.find(appid);
    return { runs: await this.runs.list(known) };
  }

  @Post()
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('component.release_check')
  @ApiOperation({
    summary: "Play WeChat's release check (全网发布检测) against this installation",
    description:
      'Pushes as WeChat does, through PUBLIC_URL, with the Token and key of this platform, and ' +
      'reads the answers as WeChat would; at most 6 s for each case. The newest ticket is pushed ' +
      'again, which changes nothing. With authorization codes the customer messages that WeChat ' +
      'waits for are sent, too; without, WeChat is not called.',
  })
  @ApiComponentAppId()
  @ApiHubError(400, 'bad_request', 'A field is malformed')
  @ApiHubError(403, 'component_disabled', 'This third-party platform is disabled')
  @ApiJson(releaseCheckRunView, releaseCheckExample)
  async run(
    @Param('componentAppId', { schema: appidParam }) appid: string,
    @Body({ schema: releaseCheckBody }) body: ReleaseCheckBody,
  ): Promise<ReleaseCheckRunView> {
    return this.runs.keep(await this.check.run(appid, body));
  }
}
