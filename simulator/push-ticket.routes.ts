import { readJsonBody, requireComponent, type ApiRoute } from './api-route.js';

/**
 * Starts pushing, or probes it (api_startpushticket page). The body's secret is called
 * `component_secret` here. One ticket is pushed at once in either case.
 */
const apiStartPushTicket: ApiRoute = {
  path: '/cgi-bin/component/api_start_push_ticket',
  handle(call, context) {
    const component = requireComponent(readJsonBody(call), 'component_secret', context);
    const wasRunning = context.pusher.isRunning(component.appid);
    if (!wasRunning) context.pusher.start(component);
    context.pusher.pushIfTargeted(component);
    return { errcode: 0, errmsg: wasRunning ? 'in a normal state' : 'ok' };
  },
};

/** The APIs around the ticket push. */
export const pushTicketRoutes: ApiRoute[] = [apiStartPushTicket];
