import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { Scope } from '../auth/scope.js';
import { Audited } from '../auth/audit.interceptor.js';
import {
  ApiBearer,
  ApiHubError,
  ApiJson,
  revealQuery,
  type RevealQuery,
} from '../http/api-docs.js';
import { appidParam, lastOfFullPage, pageQuery } from '../http/field-schemas.js';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { ApiComponentAppId } from '../component/component-app-id.js';
import { ComponentService } from '../component/component.service.js';
import { TicketPushService } from './ticket-push.service.js';
import { TicketService } from './ticket.service.js';
import {
  ticketHistoryExample,
  ticketHistoryView,
  ticketView,
  ticketViewExample,
  toTicketPushView,
  toTicketView,
  type TicketHistoryView,
  type TicketView,
} from './ticket.views.js';

const historyQuery = z.object(pageQuery({ most: 500, usual: 100 }));
const startPushView = z.object({ errmsg: z.string() }).meta({ id: 'StartedPush' });

/** `/admin/tickets`: inspection of the tickets, and the request for new ones. */
@ApiTags('tickets')
@ApiBearer()
@Controller('admin/tickets')
export class TicketController {
  constructor(
    private readonly tickets: TicketService,
    private readonly pushes: TicketPushService,
    private readonly components: ComponentService,
    private readonly clock: Clock,
  ) {}

  @Get()
  @Scope('admin:read')
  @Audited('ticket.reveal', { shows: 'asked' })
  @ApiOperation({ summary: 'The newest ticket of every third-party platform' })
  @ApiJson(z.array(ticketView), [ticketViewExample])
  async list(@Query({ schema: revealQuery }) { reveal }: RevealQuery): Promise<TicketView[]> {
    const now = this.clock.now();
    return (await this.tickets.all()).map((ticket) => toTicketView(ticket, now, reveal));
  }

  @Get(':componentAppId')
  @Scope('admin:read')
  @Audited('ticket.reveal', { shows: 'asked' })
  @ApiOperation({ summary: 'The newest ticket of one third-party platform' })
  @ApiComponentAppId()
  @ApiHubError(404, 'ticket_unknown', 'No ticket has arrived yet; also component_unknown')
  @ApiJson(ticketView, ticketViewExample)
  async get(
    @Param('componentAppId', { schema: appidParam }) appid: string,
    @Query({ schema: revealQuery }) { reveal }: RevealQuery,
  ): Promise<TicketView> {
    await this.components.get(appid);
    const ticket = await this.tickets.latest(appid);
    if (!ticket) {
      throw new HubError('ticket_unknown', 'No ticket has arrived yet for this platform', {
        status: 404,
      });
    }
    if (ticket.ticket.problem) throw ticket.ticket.problem;
    return toTicketView(ticket, this.clock.now(), reveal);
  }

  @Get(':componentAppId/history')
  @Scope('admin:read')
  @ApiOperation({
    summary: 'Every ticket push of the last days, newest first',
    description: 'Kept for EVENT_RETENTION_DAYS. Page with `before`.',
  })
  @ApiComponentAppId()
  @ApiJson(ticketHistoryView, ticketHistoryExample)
  async getHistory(
    @Param('componentAppId', { schema: appidParam }) appid: string,
    @Query({ schema: historyQuery }) { limit, before }: z.infer<typeof historyQuery>,
  ): Promise<TicketHistoryView> {
    await this.components.get(appid);
    const pushes = await this.tickets.history(appid, limit, before);
    const next = lastOfFullPage(pushes, limit)?.id ?? null;
    return { pushes: pushes.map(toTicketPushView), next };
  }

  @Post(':componentAppId/start-push')
  @Scope('admin:operate')
  @HttpCode(200)
  @Audited('ticket.start_push')
  @ApiOperation({
    summary: 'Ask WeChat to push tickets again (api_start_push_ticket)',
    description:
      '`ok`: pushing had stopped and runs again. `in a normal state`: it was running. At most ' +
      'once a minute for each platform, over all hosts.',
  })
  @ApiComponentAppId()
  @ApiHubError(429, 'start_push_too_soon', 'WeChat was asked already; see nextAttemptAt')
  @ApiHubError(502, 'wechat_api_failed', 'WeChat refused; errcode and rid say why')
  @ApiJson(startPushView, { errmsg: 'ok' })
  async startPush(
    @Param('componentAppId', { schema: appidParam }) appid: string,
  ): Promise<z.infer<typeof startPushView>> {
    return { errmsg: await this.pushes.startPush(appid) };
  }
}
