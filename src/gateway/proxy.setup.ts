import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { PLATFORM_HEADER } from '../auth/access.guard.js';
import { APPID_CHARACTERS } from '../common/appid.js';
import { HubError } from '../common/hub-error.js';
import type { KnownRequest } from '../http/caller.js';
import type { HubErrorFilter } from '../http/hub-error.filter.js';
import { HUB_MARK, type GatewayAnswer, type GatewayCall } from './gateway.client.js';
import type { GatewayOwner, GatewayService } from './gateway.service.js';
import {
  isOfComponent,
  readWechatUrl,
  refuseKept,
  refuseTokens,
  tokenParameter,
  type WechatUrl,
} from './wechat-url.js';

/** Methods that are handed on. */
export const FORWARDED_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

const PREFIX = new RegExp(`^/proxy/(?:components|authorizers)/${APPID_CHARACTERS}/`, 'i');

/** The routes, and on whose behalf each calls. */
const OWNERS: [url: string, ownerOf: (request: FastifyRequest) => GatewayOwner][] = [
  ['/proxy/components/:componentAppId/*', ({ params }) => params as { componentAppId: string }],
  [
    '/proxy/authorizers/:authorizerAppId/*',
    ({ params, headers: { [PLATFORM_HEADER]: platform } }) => ({
      ...(params as { authorizerAppId: string }),
      componentAppId: typeof platform === 'string' ? platform : undefined,
    }),
  ],
];

/** `ANY /proxy/…`: WeChat's API with the token put in. Plain routes, so that bodies stream. */
export function useProxy(
  fastify: FastifyInstance,
  gateway: GatewayService,
  filter: HubErrorFilter,
): void {
  void fastify.register((scope, _options, done) => {
    passBodiesOn(scope);
    scope.setErrorHandler((error, request, reply) => filter.refuse(error, request, reply));
    for (const [url, ownerOf] of OWNERS) {
      scope.route({
        method: [...FORWARDED_METHODS],
        url,
        config: { scopes: ['proxy'], forwards: true },
        exposeHeadRoute: false,
        handler: (request, reply) => forward(request, reply, gateway, ownerOf(request)),
      });
    }
    done();
  });
}

/** Gives handlers of this scope the body as the stream that it is. */
export function passBodiesOn(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));
}

async function forward(
  request: FastifyRequest,
  reply: FastifyReply,
  gateway: GatewayService,
  owner: GatewayOwner,
): Promise<FastifyReply> {
  refuseOwnCalls(request);
  const url = readProxyUrl(request.raw.url ?? '', owner);
  const { path, query } = url;
  const call = { ...callOf(request, reply), path, query, parameter: tokenParameter(path) };
  return sendAnswer(reply, await gateway.call(owner, call));
}

/** The parts of a call that come from the request itself. */
export function callOf(
  request: KnownRequest,
  { raw: waiting }: FastifyReply,
): Pick<GatewayCall, 'actor' | 'method' | 'headers' | 'body' | 'waiting'> {
  const { caller, method, headers, body } = request;
  const actor = caller?.actor ?? 'admin';
  return { actor, method, headers, body: body as Readable | undefined, waiting };
}

/** Hands on what WeChat answered. */
export function sendAnswer(reply: FastifyReply, answer: GatewayAnswer): FastifyReply {
  const { status, headers, body, attempts, refreshed } = answer;
  return reply
    .status(status)
    .headers({
      ...headers,
      'x-hub-attempts': String(attempts),
      'x-hub-token-refreshed': String(refreshed),
    })
    .send(body);
}

/** A name of WeChat's that leads to a hub would send its calls round and round. */
export function refuseOwnCalls({ headers }: FastifyRequest): void {
  if (headers[HUB_MARK] === undefined) return;
  throw new HubError('call_of_a_hub', 'WECHAT_API_BASE_URL leads to a hub', { status: 508 });
}

function readProxyUrl(url: string, { authorizerAppId }: GatewayOwner): WechatUrl {
  const [prefix] = PREFIX.exec(url) ?? [''];
  // A prefix in another spelling leaves a path that is none of WeChat's.
  const read = readWechatUrl(url.slice(prefix.length));
  refuseKept(read);
  refuseTokens(read.query);
  if (authorizerAppId !== undefined && isOfComponent(read.path)) {
    throw new HubError(
      'wrong_owner',
      'The path is the platform’s: call it by /proxy/components/:componentAppId',
      { status: 400 },
    );
  }
  return read;
}
