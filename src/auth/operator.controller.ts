import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { isoTime } from '../common/times.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import { idParam, lastOfFullPage, pageQuery, timeView } from '../http/field-schemas.js';
import { Audited } from './audit.interceptor.js';
import { AuditService } from './audit.service.js';
import { ROLES, type Operator } from './operator.js';
import { OperatorService, type Invited } from './operator.service.js';
import { Scope } from './scope.js';
import { DONE, doneView, personName } from './session.views.js';

const listQuery = z.object(pageQuery({ most: 200, usual: 50 }));
const fields = {
  name: personName.describe('The operator signs in by it'),
  role: z.enum(ROLES),
  enabled: z.boolean(),
  readsContent: z.boolean().describe('Whether a viewer may read the content of pushes'),
};
const newBody = z
  .strictObject({
    ...fields,
    enabled: fields.enabled.default(true),
    readsContent: fields.readsContent.default(false),
  })
  .meta({ id: 'NewOperator', example: { name: 'Li Wei', role: 'operator' } });
const changeBody = z
  .strictObject(fields)
  .partial()
  .meta({ id: 'OperatorChange', example: { role: 'viewer' } });

const operatorView = z
  .object({
    id: z.string(),
    ...fields,
    hasPassword: z.boolean(),
    invitedUntil: timeView.nullable().describe('Until then an invitation can be used; null: none'),
    signedInAt: timeView.nullable(),
    createdAt: timeView,
  })
  .meta({ id: 'Operator' });
type OperatorView = z.infer<typeof operatorView>;
const invitedView = operatorView
  .extend({
    invitation: z
      .string()
      .describe('Path and fragment at the console, to be handed over; works once, shown this once'),
  })
  .meta({ id: 'InvitedOperator' });
const listView = z
  .object({
    operators: z.array(operatorView),
    next: z.string().nullable().describe('Value of `before` for the next page'),
  })
  .meta({ id: 'OperatorPage' });

const example: OperatorView = {
  id: '01a2035a4b1b9c1d1f2e',
  name: 'Li Wei',
  role: 'operator',
  enabled: true,
  readsContent: false,
  hasPassword: false,
  invitedUntil: '2026-11-23T08:00:00.000Z',
  signedInAt: null,
  createdAt: '2026-11-22T08:00:00.000Z',
};
const invitedExample = { ...example, invitation: '/console/#/welcome?invitation=…' };

/** `/admin/operators`: the people who use the console, beside the owner of the admin token. */
@ApiTags('operators')
@ApiBearer()
@Controller('admin/operators')
export class OperatorController {
  constructor(
    private readonly operators: OperatorService,
    private readonly audit: AuditService,
  ) {}

  @Get()
  @Scope('admin')
  @ApiOperation({ summary: 'List the operators, newest first' })
  @ApiJson(listView, { operators: [example], next: null })
  async list(
    @Query({ schema: listQuery }) { limit, before }: z.output<typeof listQuery>,
  ): Promise<z.infer<typeof listView>> {
    const operators = await this.operators.page(limit, before);
    const next = lastOfFullPage(operators, limit)?.id ?? null;
    return { operators: operators.map(toView), next };
  }

  @Post()
  @Scope('admin', { confirmed: true })
  @Audited('operator.add', { shows: 'always' })
  @ApiOperation({
    summary: 'Add an operator; the answer has an invitation for them, which works once for 24 h',
    description:
      '`viewer` reads; `operator` also reads the content of pushes, and works: refreshes, tests, ' +
      'replays, subscriptions, links; `owner` does everything.',
  })
  @ApiHubError(400, 'bad_request', 'A field is missing or malformed')
  @ApiHubError(409, 'operator_exists', 'There is an operator of that name')
  @ApiJson(invitedView, invitedExample, { status: 201 })
  async add(
    @Body({ schema: newBody }) body: z.output<typeof newBody>,
  ): Promise<z.infer<typeof invitedView>> {
    this.audit.about(body.name);
    return toInvitedView(await this.operators.add(body));
  }

  @Patch(':id')
  @Scope('admin', { confirmed: true })
  @Audited('operator.change')
  @ApiOperation({ summary: 'Change or disable an operator; on other hosts within 5 s' })
  @ApiHubError(404, 'operator_unknown', 'There is no such operator')
  @ApiHubError(409, 'operator_exists', 'There is an operator of that name')
  @ApiJson(operatorView, example)
  async change(
    @Param('id', { schema: idParam }) id: string,
    @Body({ schema: changeBody }) body: z.output<typeof changeBody>,
  ): Promise<OperatorView> {
    return toView(await this.operators.change(id, body));
  }

  @Post(':id/invitation')
  @Scope('admin', { confirmed: true })
  @Audited('operator.invite', { shows: 'always' })
  @ApiOperation({
    summary: 'Another invitation, for an operator who has lost the first one or the password',
    description: 'The password so far counts until the invitation is used.',
  })
  @ApiHubError(404, 'operator_unknown', 'There is no such operator')
  @ApiJson(invitedView, invitedExample, { status: 201 })
  async invite(@Param('id', { schema: idParam }) id: string): Promise<z.infer<typeof invitedView>> {
    return toInvitedView(await this.operators.invite(id));
  }

  @Delete(':id')
  @Scope('admin', { confirmed: true })
  @Audited('operator.delete')
  @ApiOperation({ summary: 'Remove an operator, whose sessions end; on other hosts within 5 s' })
  @ApiHubError(404, 'operator_unknown', 'There is no such operator')
  @ApiJson(doneView, DONE)
  async remove(@Param('id', { schema: idParam }) id: string): Promise<typeof DONE> {
    await this.operators.remove(id);
    return DONE;
  }
}

function toView(operator: Operator): OperatorView {
  const { id, name, role, enabled, readsContent, password, ...times } = operator;
  return {
    id,
    name,
    role,
    enabled,
    readsContent,
    hasPassword: password !== null,
    invitedUntil: isoTime(times.invitationUntil),
    signedInAt: isoTime(times.signedInAt),
    createdAt: isoTime(times.createdAt),
  };
}

function toInvitedView({ operator, invitation }: Invited): z.infer<typeof invitedView> {
  return {
    ...toView(operator),
    invitation: `/console/#/welcome?invitation=${invitation.reveal()}`,
  };
}
