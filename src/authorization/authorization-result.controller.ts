import { Controller, Get, Param, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { AuthorizationResultService, RESULT_OUTCOMES } from './authorization-result.service.js';

const idParam = z.string().min(1).max(100);
const resultView = z
  .object({
    outcome: z.enum(RESULT_OUTCOMES),
    componentAppId: z.string(),
    authorizerAppId: z.string().nullable().describe('The account, where it has authorized'),
    state: z.string().nullable().describe('As it was given with the link'),
    error: z.string().nullable().describe('Code of the error, where it failed'),
  })
  .meta({ id: 'AuthorizationResult' });
type ResultView = z.infer<typeof resultView>;
const example: ResultView = {
  outcome: 'authorized',
  componentAppId: 'wx0123456789abcdef',
  authorizerAppId: 'wxfedcba9876543210',
  state: 'order-4711',
  error: null,
};
/** WeChat is asked again after about as long, in seconds. */
const ASK_AGAIN_SECONDS = 5;

/** `/api/authorizations`: what a browser's `result_id` stands for. */
@ApiTags('api')
@ApiBearer()
@Controller('api/authorizations')
export class AuthorizationResultController {
  constructor(private readonly results: AuthorizationResultService) {}

  @Get(':id')
  @Scope('token:read')
  @Audited('authorization.redeem', { shows: 'always' })
  @ApiOperation({
    summary: 'The result of an authorization, once',
    description:
      'For the `result_id` that a browser brought to `returnTo`, within 10 minutes. Compare ' +
      '`state` with that of the browser’s session. 202 while WeChat has still to answer: ask ' +
      'again with the same id.',
  })
  @ApiHubError(404, 'authorization_result_unknown', 'The hub did not make this id')
  @ApiHubError(410, 'authorization_result_gone', 'It was handed out already, or came too late')
  @ApiJson(resultView, example)
  @ApiJson(
    resultView,
    { ...example, outcome: 'pending', authorizerAppId: null, state: null },
    { status: 202, description: 'WeChat has still to answer' },
  )
  async redeem(
    @Param('id', { schema: idParam }) id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ResultView> {
    const result = await this.results.redeem(id);
    void reply.header('cache-control', 'no-store');
    if (result.outcome === 'pending') {
      void reply.status(202).header('retry-after', String(ASK_AGAIN_SECONDS));
    }
    return result;
  }
}
