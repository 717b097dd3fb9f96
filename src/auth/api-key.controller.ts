import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import type { Secret } from '../common/secret.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { idParam, lastOfFullPage } from '../http/field-schemas.js';
import type { ApiKey } from './api-key.js';
import { ApiKeyService } from './api-key.service.js';
import {
  apiKeyChangeBody,
  apiKeyExample,
  apiKeyListQuery,
  apiKeyListView,
  apiKeySecretExample,
  apiKeySecretView,
  apiKeyView,
  newApiKeyBody,
  rotateBody,
  toApiKeyView,
  toValues,
  type ApiKeyView,
} from './api-key.views.js';
import { Audited } from './audit.interceptor.js';
import { AuditService } from './audit.service.js';
import { Scope } from './scope.js';

type ApiKeySecretView = z.infer<typeof apiKeySecretView>;

const ApiUnknownKey = (): MethodDecorator =>
  ApiHubError(404, 'api_key_unknown', 'There is no such API key');

/** `/admin/api-keys`: who may call what, beside the bearer of the admin token. */
@ApiTags('api-keys')
@ApiBearer()
@Controller('admin/api-keys')
export class ApiKeyController {
  constructor(
    private readonly keys: ApiKeyService,
    private readonly audit: AuditService,
  ) {}

  @Get()
  @Scope('admin:read')
  @ApiOperation({ summary: 'List the API keys, newest first, those that are revoked too' })
  @ApiJson(apiKeyListView, { keys: [apiKeyExample], next: null })
  async list(
    @Query({ schema: apiKeyListQuery }) { limit, before }: z.output<typeof apiKeyListQuery>,
  ): Promise<z.infer<typeof apiKeyListView>> {
    const keys = await this.keys.page(limit, before);
    return { keys: keys.map(toApiKeyView), next: lastOfFullPage(keys, limit)?.id ?? null };
  }

  @Get(':id')
  @ApiUnknownKey()
  @Scope('admin:read')
  @ApiOperation({ summary: 'Show one API key, without its secret' })
  @ApiJson(apiKeyView, apiKeyExample)
  async get(@Param('id', { schema: idParam }) id: string): Promise<ApiKeyView> {
    return toApiKeyView(await this.keys.get(id));
  }

  @Post()
  @Scope('admin', { confirmed: true })
  @Audited('api_key.add', { shows: 'always' })
  @ApiOperation({ summary: 'Make an API key; it is shown this once' })
  @ApiJson(apiKeySecretView, apiKeySecretExample, { status: 201 })
  async add(
    @Body({ schema: newApiKeyBody }) body: z.output<typeof newApiKeyBody>,
  ): Promise<ApiKeySecretView> {
    this.audit.about(body.name);
    return toSecretView(await this.keys.add(toValues(body)));
  }

  @Patch(':id')
  @ApiUnknownKey()
  @Scope('admin', { confirmed: true })
  @Audited('api_key.change')
  @ApiOperation({ summary: 'Change what an API key may do; on other hosts within 5 s' })
  @ApiHubError(409, 'api_key_revoked', 'It has been revoked')
  @ApiJson(apiKeyView, apiKeyExample)
  async change(
    @Param('id', { schema: idParam }) id: string,
    @Body({ schema: apiKeyChangeBody }) body: z.output<typeof apiKeyChangeBody>,
  ): Promise<ApiKeyView> {
    return toApiKeyView(await this.keys.change(id, toValues(body)));
  }

  @Post(':id/rotate')
  @ApiUnknownKey()
  @HttpCode(200)
  @Scope('admin', { confirmed: true })
  @Audited('api_key.rotate', { shows: 'always' })
  @ApiOperation({
    summary: 'Another secret for an API key, shown this once',
    description:
      'The key so far is accepted for `overlapSeconds` more; one that was rotated before it no longer.',
  })
  @ApiHubError(409, 'api_key_revoked', 'It has been revoked')
  @ApiJson(apiKeySecretView, apiKeySecretExample)
  async rotate(
    @Param('id', { schema: idParam }) id: string,
    @Body({ schema: rotateBody }) { overlapSeconds }: z.output<typeof rotateBody>,
  ): Promise<ApiKeySecretView> {
    return toSecretView(await this.keys.rotate(id, overlapSeconds * 1000));
  }

  @Delete(':id')
  @ApiUnknownKey()
  @Scope('admin', { confirmed: true })
  @Audited('api_key.revoke')
  @ApiOperation({ summary: 'Revoke an API key: here at once, on other hosts within 5 s' })
  @ApiHubError(409, 'api_key_revoked', 'It has been revoked before')
  @ApiJson(apiKeyView, apiKeyExample)
  async revoke(@Param('id', { schema: idParam }) id: string): Promise<ApiKeyView> {
    return toApiKeyView(await this.keys.revoke(id));
  }
}

function toSecretView({ apiKey, key }: { apiKey: ApiKey; key: Secret }): ApiKeySecretView {
  return { ...toApiKeyView(apiKey), key: key.reveal() };
}
