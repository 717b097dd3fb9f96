import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { HubError } from '../common/hub-error.js';
import { ApiBearer, ApiHubError, ApiJson } from '../http/api-docs.js';
import type { Caller, KnownRequest } from '../http/caller.js';
import { Audited } from './audit.interceptor.js';
import { AuditService } from './audit.service.js';
import { Scope } from './scope.js';
import {
  callerOf,
  cookieOf,
  crossOrigin,
  isOwnPage,
  linkNameBy,
  setCookie,
  type KnownSession,
} from './session.js';
import { SessionService, type From, type Opened } from './session.service.js';
import {
  DONE,
  doneView,
  invitationBody,
  linkBody,
  linkExample,
  linkView,
  passwordBody,
  proofBody,
  sessionExample,
  sessionListQuery,
  sessionListView,
  signInBody,
  toSessionView,
  toWhoView,
  whoExample,
  whoView,
  type WhoView,
} from './session.views.js';
import { idParam } from '../http/field-schemas.js';

/** What all ways to sign in have in common. */
const TRIES = 'More than 10 tries from this address within a minute, or 60 of all';

/** `/admin/session`: the session of the console that asks, and how to get one. */
@ApiTags('sessions')
@Controller('admin/session')
export class SessionController {
  constructor(
    private readonly sessions: SessionService,
    private readonly audit: AuditService,
  ) {}

  @Post()
  @Scope('none')
  @Audited('session.open')
  @ApiOperation({
    summary: 'Sign in',
    description:
      'With the admin token and a name for the audit trail, an operator’s name and password, or the ' +
      'value of a sign-in link. Sets the cookie `hub_session`, which opens `/admin` and nothing ' +
      'else, for 12 hours, or until it was not used for an hour (requests with `x-hub-background: 1` ' +
      'are no use). To write with the cookie, a request must come from a page of the hub ' +
      '(`Sec-Fetch-Site`, else `Origin`).',
  })
  @ApiHubError(400, 'bad_request', 'A field is missing or malformed')
  @ApiHubError(401, 'sign_in_failed', 'It is wrong. Also link_invalid')
  @ApiHubError(403, 'cross_origin', 'A page of somebody else sends it')
  @ApiHubError(429, 'too_many_attempts', TRIES)
  @ApiJson(whoView, whoExample, { status: 201 })
  async open(
    @Body({ schema: signInBody }) body: z.output<typeof signInBody>,
    @Req() request: KnownRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WhoView> {
    refuseOthersPages(request);
    return give(await this.sessions.open(body, fromOf(request)), request, reply);
  }

  @Post('invitation')
  @Scope('none')
  @Audited('session.accept_invitation')
  @ApiOperation({
    operationId: 'acceptInvitation',
    summary: 'Set the password of an invited operator, and sign in',
  })
  @ApiHubError(400, 'password_weak', 'Under 12 characters, or the name. Also bad_request')
  @ApiHubError(401, 'link_invalid', 'The invitation is wrong, was used, or is older than a day')
  @ApiHubError(403, 'cross_origin', 'A page of somebody else sends it')
  @ApiHubError(429, 'too_many_attempts', TRIES)
  @ApiJson(whoView, whoExample, { status: 201 })
  async accept(
    @Body({ schema: invitationBody }) body: z.output<typeof invitationBody>,
    @Req() request: KnownRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<WhoView> {
    refuseOthersPages(request);
    const { invitation, password } = body;
    return give(await this.sessions.accept(invitation, password, fromOf(request)), request, reply);
  }

  @Get()
  @Scope('admin:read')
  @ApiBearer()
  @ApiOperation({ summary: 'Who asks: role, scopes, and until when the session goes on' })
  @ApiJson(whoView, whoExample)
  async get(@Req() request: KnownRequest): Promise<WhoView> {
    return toWhoView(callerIn(request), await this.sessionIn(request));
  }

  @Delete()
  @Scope('admin:read')
  @Audited('session.close')
  @ApiBearer()
  @ApiOperation({ summary: 'Sign out' })
  @ApiHubError(400, 'no_session', 'The request is not by a session')
  @ApiJson(doneView, DONE)
  async close(
    @Req() request: KnownRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<typeof DONE> {
    const { session } = await this.mustBeSession(request);
    await this.sessions.end(session.id);
    void reply.headers({
      'set-cookie': setCookie(undefined, request.headers),
      'clear-site-data': '"cache", "storage"',
    });
    return DONE;
  }

  @Post('confirm')
  @HttpCode(200)
  @Scope('admin:read')
  @Audited('session.confirm')
  @ApiBearer()
  @ApiOperation({
    summary: 'Give the token or password again',
    description:
      'Sessions show secrets, and change platforms, API keys and operators, for 10 minutes after it ' +
      '(`x-confirmed`); otherwise the answer is 403 `confirmation_required`.',
  })
  @ApiHubError(400, 'no_session', 'The request is not by a session. Also bad_request')
  @ApiHubError(403, 'confirmation_failed', 'It is wrong')
  @ApiHubError(429, 'too_many_attempts', TRIES)
  @ApiJson(whoView, whoExample)
  async confirm(
    @Body({ schema: proofBody }) proof: z.output<typeof proofBody>,
    @Req() request: KnownRequest,
  ): Promise<WhoView> {
    await this.mustBeSession(request);
    const value = cookieOf(request.headers) ?? '';
    const known = await this.sessions.confirm(value, proof, fromOf(request));
    return toWhoView(callerIn(request), known);
  }

  @Post('password')
  @HttpCode(200)
  @Scope('admin:read')
  @Audited('session.change_password')
  @ApiBearer()
  @ApiOperation({ summary: 'Change one’s own password; all other sessions of the operator end' })
  @ApiHubError(
    400,
    'password_weak',
    'Under 12 characters, or the name. Also no_session, no_password',
  )
  @ApiHubError(403, 'confirmation_failed', 'The password so far is wrong')
  @ApiHubError(429, 'too_many_attempts', TRIES)
  @ApiJson(doneView, DONE)
  async changePassword(
    @Body({ schema: passwordBody }) body: z.output<typeof passwordBody>,
    @Req() request: KnownRequest,
  ): Promise<typeof DONE> {
    await this.mustBeSession(request);
    const value = cookieOf(request.headers) ?? '';
    await this.sessions.changePassword(value, body, fromOf(request));
    return DONE;
  }

  @Post('links')
  @Scope('admin', { confirmed: true })
  @Audited('session.link', { shows: 'always' })
  @ApiBearer()
  @ApiOperation({
    summary: 'Make a link that signs an owner in, once, within 15 minutes',
    description: 'For a first visit, without the admin token in the browser.',
  })
  @ApiJson(linkView, linkExample, { status: 201 })
  async makeLink(
    @Body({ schema: linkBody }) body: z.output<typeof linkBody>,
    @Req() request: KnownRequest,
  ): Promise<z.infer<typeof linkView>> {
    const { name = linkNameBy(callerIn(request)) } = body;
    this.audit.about(name);
    const { link, expiresAt } = await this.sessions.makeLink(name, fromOf(request));
    return {
      link: `/console/#/sign-in?link=${link.reveal()}`,
      expiresAt: new Date(expiresAt).toISOString(),
    };
  }

  private async sessionIn(request: KnownRequest): Promise<KnownSession | undefined> {
    const cookie = cookieOf(request.headers);
    if (request.caller?.sessionId === undefined || cookie === undefined) return undefined;
    return this.sessions.find(cookie, request.ip);
  }

  private async mustBeSession(request: KnownRequest): Promise<KnownSession> {
    const known = await this.sessionIn(request);
    if (!known) throw new HubError('no_session', 'Only for sessions', { status: 400 });
    return known;
  }
}

/** `/admin/sessions`: who is signed in. */
@ApiTags('sessions')
@ApiBearer()
@Controller('admin/sessions')
export class SessionListController {
  constructor(private readonly sessions: SessionService) {}

  @Get()
  @Scope('admin')
  @ApiOperation({
    operationId: 'listSessions',
    summary: 'The sessions of the console that go on, newest first',
    description: 'Page with `before` until `next` is null: a page may have few sessions, or none.',
  })
  @ApiJson(sessionListView, { sessions: [sessionExample], next: null })
  async list(
    @Query({ schema: sessionListQuery }) { limit, before }: z.output<typeof sessionListQuery>,
    @Req() { caller }: KnownRequest,
  ): Promise<z.infer<typeof sessionListView>> {
    const { sessions, next } = await this.sessions.page(limit, before);
    return { sessions: sessions.map((one) => toSessionView(one, caller?.sessionId)), next };
  }

  @Delete(':id')
  @Scope('admin')
  @Audited('session.end')
  @ApiOperation({
    operationId: 'endSession',
    summary: 'End a session: here at once, on other hosts within 5 s',
  })
  @ApiHubError(404, 'session_unknown', 'There is no such session')
  @ApiJson(doneView, DONE)
  async end(@Param('id', { schema: idParam }) id: string): Promise<typeof DONE> {
    await this.sessions.end(id);
    return DONE;
  }
}

function give(opened: Opened, { headers }: KnownRequest, reply: FastifyReply): WhoView {
  void reply.header('set-cookie', setCookie(opened.value, headers));
  return toWhoView(callerOf(opened), opened);
}

/** Nobody is signed in by a page that is not the hub's. */
function refuseOthersPages({ headers }: KnownRequest): void {
  if (isOwnPage(headers) === false) throw crossOrigin();
}

function fromOf({ ip, headers }: KnownRequest): From {
  return { address: ip, userAgent: headers['user-agent'] };
}

/** The guard has let in nobody else. */
function callerIn({ caller }: KnownRequest): Caller {
  if (!caller) throw new Error('A guarded route without a caller');
  return caller;
}
