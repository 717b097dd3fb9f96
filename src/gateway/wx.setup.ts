import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { HubErrorFilter } from '../http/hub-error.filter.js';
import {
  callOf,
  FORWARDED_METHODS,
  passBodiesOn,
  refuseOwnCalls,
  sendAnswer,
} from './proxy.setup.js';
import { readWechatUrl } from './wechat-url.js';
import { errorAnswer, statusFor } from './wx-errors.js';
import type { WxService } from './wx.service.js';

const PREFIX = /^\/wx\//i;
/** WeChat's label, not a registered parameter. */
const JSON_TYPE = 'application/json; encoding=utf-8';
/** Its SDKs take an error for the picture unless it is text. */
const QRCODE = /^\/wx\/wxa\/get_qrcode(?:\?|$)/i;

/** `ANY /wx/…`: the drop-in address, for SDKs that take it for WeChat's. */
export function useWx(fastify: FastifyInstance, wx: WxService, filter: HubErrorFilter): void {
  void fastify.register((scope, _options, done) => {
    passBodiesOn(scope);
    scope.setErrorHandler((thrown, request, reply) => {
      const error = filter.note(thrown, request);
      if (reply.sent) return;
      const type = QRCODE.test(request.raw.url ?? '') ? 'text/plain' : JSON_TYPE;
      sendJson(
        reply.status(statusFor(error, request.method)),
        errorAnswer(error, request.id),
        type,
      );
    });
    scope.route({
      method: [...FORWARDED_METHODS],
      url: '/wx/*',
      config: { forwards: true },
      exposeHeadRoute: false,
      handler: (request, reply) => answer(request, reply, wx),
    });
    done();
  });
}

/** Under these names every path is one below `/wx`, so that nothing else of the hub is reachable. */
export function leadToWx(request: IncomingMessage, hosts: string[]): void {
  if (hosts.length === 0) return;
  const [name = ''] = (request.headers.host ?? '').toLowerCase().split(':', 1);
  // The dot of the root may be written: it is the same host.
  if (hosts.includes(name.replace(/\.$/, ''))) request.url = `/wx${request.url ?? '/'}`;
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  wx: WxService,
): Promise<FastifyReply> {
  refuseOwnCalls(request);
  const [prefix = ''] = PREFIX.exec(request.raw.url ?? '') ?? [];
  const url = readWechatUrl((request.raw.url ?? '').slice(prefix.length));
  const given = await wx.answer({ ...callOf(request, reply), url, address: request.ip });
  if ('location' in given) return reply.redirect(given.location, 302);
  return 'json' in given ? sendJson(reply, given.json) : sendAnswer(reply, given);
}

function sendJson(reply: FastifyReply, json: object, type = JSON_TYPE): FastifyReply {
  // As bytes: the framework would add a charset to the type of a text.
  return reply.header('content-type', type).send(Buffer.from(JSON.stringify(json)));
}
