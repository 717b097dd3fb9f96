import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { AuditService } from '../auth/audit.service.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { ApiComponentAppId } from './component-app-id.js';
import { ROTATING_FIELDS } from './component.js';
import { ComponentService } from './component.service.js';
import {
  componentChangeBody,
  componentView,
  componentViewExample,
  endPreviousQuery,
  newComponentBody,
  toComponentView,
  type ComponentView,
} from './component.views.js';
import { appidParam } from '../http/field-schemas.js';

/** `/admin/components`: the registered third-party platforms. */
@ApiTags('components')
@ApiBearer()
@Controller('admin/components')
export class ComponentController {
  constructor(
    private readonly components: ComponentService,
    private readonly audit: AuditService,
  ) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({ summary: 'List the third-party platforms' })
  @ApiJson(z.array(componentView), [componentViewExample])
  async list(): Promise<ComponentView[]> {
    return (await this.components.list()).map(toComponentView);
  }

  @Get(':componentAppId')
  @Scope('admin:read')
  @ApiOperation({ summary: 'Show one third-party platform' })
  @ApiComponentAppId()
  @ApiJson(componentView, componentViewExample)
  async get(
    @Param('componentAppId', { schema: appidParam }) appid: string,
  ): Promise<ComponentView> {
    return toComponentView(await this.components.find(appid));
  }

  @Post()
  @Scope('admin', { confirmed: true })
  @Audited('component.add')
  @ApiOperation({ summary: 'Register a third-party platform; secrets can be written, not read' })
  @ApiHubError(400, 'bad_request', 'A field is missing or malformed')
  @ApiHubError(409, 'component_exists', 'This third-party platform is registered already')
  @ApiJson(componentView, componentViewExample, { status: 201 })
  async add(
    @Body({ schema: newComponentBody }) body: z.infer<typeof newComponentBody>,
  ): Promise<ComponentView> {
    const { componentAppId, ...values } = body;
    this.audit.about(componentAppId);
    return toComponentView(await this.components.add(componentAppId, values));
  }

  @Patch(':componentAppId')
  @Scope('admin', { confirmed: true })
  @Audited('component.change')
  @ApiOperation({
    summary: 'Change or disable a third-party platform',
    description:
      'A changed AppSecret, Token or EncodingAESKey leaves the values before it usable until ' +
      'WeChat has used the new one only for PREVIOUS_KEY_HOURS, or they are ended. Live on every ' +
      'host within 10 s. Secrets that cannot be read (`error`) are replaced by all three together.',
  })
  @ApiComponentAppId()
  @ApiHubError(400, 'bad_request', 'A field is malformed')
  @ApiHubError(503, 'component_unreadable', 'Its secrets cannot be read: give all three')
  @ApiJson(componentView, componentViewExample)
  async change(
    @Param('componentAppId', { schema: appidParam }) appid: string,
    @Body({ schema: componentChangeBody }) body: z.infer<typeof componentChangeBody>,
  ): Promise<ComponentView> {
    return toComponentView(await this.components.change(appid, body));
  }

  @Delete(':componentAppId/previous-credentials')
  @Scope('admin', { confirmed: true })
  @Audited('component.end_previous')
  @ApiOperation({
    operationId: 'endPreviousCredentials',
    summary: 'End the values before the current ones at once',
    description:
      'Pushes under a previous Token or EncodingAESKey are refused from then on: do it when WeChat ' +
      'has published the change (全网发布) and `previous` shows no recent use, or when a value is ' +
      'known to others. Live on every host within 10 s.',
  })
  @ApiComponentAppId()
  @ApiQuery({ name: 'field', enum: ROTATING_FIELDS, required: false })
  @ApiHubError(400, 'bad_request', 'There is no such field')
  @ApiJson(componentView, componentViewExample)
  async endPrevious(
    @Param('componentAppId', { schema: appidParam }) appid: string,
    @Query({ schema: endPreviousQuery }) { field }: z.infer<typeof endPreviousQuery>,
  ): Promise<ComponentView> {
    return toComponentView(await this.components.endPrevious(appid, field && [field]));
  }
}
