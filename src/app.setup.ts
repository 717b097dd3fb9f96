import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { v4 as uuidv4 } from 'uuid';
import { AccessGuard } from './auth/access.guard.js';
import { AuthorizerTokenController } from './authorizer/authorizer-token.controller.js';
import { authorizationUrl } from './callback/authorization-url.js';
import { CallbackService } from './callback/callback.service.js';
import { PushListener } from './callback/push-listener.js';
import { RefusedPushes } from './callback/refused-pushes.js';
import { APP_CONFIG, type AppConfig } from './config/app-config.js';
import type { OpenEndpoint } from './config/variables.js';
import { drainConnectionsOnClose } from './http/drain-connections.js';
import { tooLarge } from './gateway/gateway.client.js';
import { GatewayService } from './gateway/gateway.service.js';
import { documentProxy } from './gateway/proxy-docs.js';
import { useProxy } from './gateway/proxy.setup.js';
import { WxService } from './gateway/wx.service.js';
import { documentWx } from './gateway/wx-docs.js';
import { leadToWx, useWx } from './gateway/wx.setup.js';
import { HubError } from './common/hub-error.js';
import { answerClientError, refuseTunnel } from './http/connection-errors.js';
import { DOCUMENT_OPTIONS, finishDocument } from './http/api-docs.js';
import type { Caller, KnownRequest } from './http/caller.js';
import { useConsole } from './http/console.setup.js';
import { refusedBefore } from './http/direct-answer.js';
import { HubErrorFilter } from './http/hub-error.filter.js';
import { JSON_LIMIT, RequestPipe, useJsonBodies } from './http/json-body.js';
import { LogBrake } from './common/log-brake.js';
import { guardPages } from './http/page-policy.js';
import { answerHeaders, JSON_TYPE } from './http/raw-answer.js';
import { runWithRequestId } from './common/request-context.js';
import {
  allowBody,
  endUnreadBodies,
  hasBody,
  headRefusal,
  passOnExpectations,
  toOriginForm,
} from './http/request-head.js';
import { BODY_LIMIT, GATE_LIMITS, RequestGate } from './http/request-gate.js';
import { tidyForwardedFor } from './common/source-address.js';
import { MessageService } from './message/message.service.js';
import { Stopping } from './common/stopping.js';
import { TokenController } from './token/token.controller.js';
import { TokenReadListener } from './token/token-read-listener.js';
import { emitTelemetry } from './common/telemetry.js';

/** Pattern of the page on which customers begin an authorization. */
const AUTHORIZE_PAGE = '/authorize/:componentAppId';
/** Pattern of what is handed out once. */
const ONCE = '/api/authorizations/:id';
/** Methods whose body, if there is one, is not looked at. */
const BODYLESS = ['GET', 'HEAD'];
/** Patterns of routes that let in nobody unknown, whether they name a scope or not, unless they say so. */
const GUARDED = /^\/(?:admin|api|metrics|docs|docs-json|docs-yaml)(?:\/|$)/;
/** Patterns of what OPEN_ENDPOINTS may open. */
const OPEN: Record<OpenEndpoint, RegExp> = {
  docs: /^\/(?:docs|docs-json|docs-yaml)(?:\/|$)/,
  metrics: /^\/metrics$/,
};
/** See {@link drainConnectionsOnClose}. */
const FAREWELL_MS = 250;

/** Where a URL is refused before Nest's filters are reached. */
const filters = new WeakMap<FastifyInstance, HubErrorFilter>();
/** What answers before the framework. */
class Listeners {
  readonly pushes: PushListener;
  readonly reads: TokenReadListener;

  /** @param addressOf the sender's address, as trusted proxies say it. */
  constructor(addressOf: (request: IncomingMessage) => string) {
    this.pushes = new PushListener(addressOf);
    this.reads = new TokenReadListener(addressOf);
  }

  before(framework: RequestListener): RequestListener {
    return this.pushes.before(this.reads.before(framework));
  }
}
const listenersOf = new WeakMap<FastifyInstance, Listeners>();

/**
 * Fastify as the hub needs it; given to Nest, then finished by {@link configureApp}.
 * @param trustedProxies addresses and CIDRs whose `X-Forwarded-For` is believed.
 * @param gatewayHosts names under which the hub is nothing but the drop-in address.
 */
export function createAdapter(
  trustedProxies: string[] = [],
  gatewayHosts: string[] = [],
): FastifyAdapter {
  const trustProxy = proxyAddr.compile(trustedProxies);
  const gate = new RequestGate(GATE_LIMITS, (address) => trustProxy(address, 0));
  const addressOf = (request: IncomingMessage): string => proxyAddr(request, trustProxy);
  const listeners = new Listeners(addressOf);
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    trustProxy,
    serverFactory: (handler: RequestListener) => {
      const listener = listeners.before(handler);
      const server = gate.createServer((request, response) => {
        tidyForwardedFor(request.headers);
        listener(request, response);
      });
      // Before the gate, which counts by kinds of paths.
      server.prependListener('request', (request) => {
        toOriginForm(request);
        leadToWx(request, gatewayHosts);
      });
      return server;
    },
    routerOptions: {
      // Typed by hand into WeChat's console. Appids, being parameters, keep their case.
      caseSensitive: false,
      ignoreDuplicateSlashes: true,
      ignoreTrailingSlash: true,
    },
    // Ids from outside could be forged or hold anything.
    requestIdHeader: false,
    genReqId: (request: IncomingMessage) => refusedBefore(request)?.id ?? uuidv4(),
    // Answered by a hook, in the form that all errors have.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      // Fastify gives such a request the address of its connection.
      Object.defineProperty(request, 'ip', { value: addressOf(request.raw) });
      answerBadUrl(error, request, reply);
    },
  });
  listenersOf.set(adapter.getInstance() as unknown as FastifyInstance, listeners);
  return adapter;
}

/** A URL that no route can have: it is refused before hooks and filters are reached. */
function answerBadUrl(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const { statusCode: status = 400 } = error;
  const code = status === 414 ? 'uri_too_long' : 'bad_request';
  // What body there is stays unread.
  void reply.headers({ ...answerHeaders(request.id), connection: 'close' });
  const refusal = new HubError(code, 'The URL is malformed', { status });
  runWithRequestId(request.id, () => filters.get(request.server)?.refuse(refusal, request, reply));
}

/**
 * Everything that makes the application what it is, for production and tests alike.
 * Create it with `bodyParser: false`.
 * @param options `farewellMs: 0` where all clients are done before it closes, as in tests.
 */
export function configureApp(
  app: NestFastifyApplication,
  { farewellMs = FAREWELL_MS }: { farewellMs?: number } = {},
): void {
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const brake = app.get(LogBrake);
  const refusedPushes = app.get(RefusedPushes);
  const filter = new HubErrorFilter(brake, (error, request) => refusedPushes.note(error, request));
  filters.set(fastify, filter);
  useRequestHooks(fastify);
  useRequestContext(fastify);
  refuseRequestsAtStop(fastify, app.get(Stopping));
  answerWhatIsNoRequest(fastify, brake);
  answerBeforeFramework(fastify, app);
  refuseByHead(fastify);
  refuseStrangers(fastify, app.get(AccessGuard), app.get<AppConfig>(APP_CONFIG));
  refuseByType(fastify, app.get<AppConfig>(APP_CONFIG));
  leadToOneUrlOfPages(fastify);
  endUnreadBodies(fastify);
  drainConnectionsOnClose(fastify, farewellMs);
  useBodyParsers(fastify);
  guardPages(fastify);
  useConsole(fastify, filter);
  useProxy(fastify, app.get(GatewayService), filter);
  useWx(fastify, app.get(WxService), filter);
  app.useGlobalPipes(new RequestPipe());
  app.useGlobalFilters(filter);
  useApiDocs(app, fastify);
}

function useRequestHooks(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.headers(answerHeaders(request.id));
    done();
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    emitTelemetry('http.request', {
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status: reply.statusCode,
      seconds: (reply.elapsedTime + (refusedBefore(request.raw)?.elapsedMs ?? 0)) / 1000,
    });
    done();
  });
}

/** Answers pushes and reads of tokens; what one is refused with is answered as all errors are. */
function answerBeforeFramework(fastify: FastifyInstance, app: NestFastifyApplication): void {
  const [stop, callback] = [app.get(Stopping), app.get(CallbackService)];
  const [messages, guard] = [app.get(MessageService), app.get(AccessGuard)];
  const [components, authorizers] = [app.get(TokenController), app.get(AuthorizerTokenController)];
  const listeners = listenersOf.get(fastify);
  if (!listeners) throw new Error('The adapter is not one of createAdapter');
  const { pushes, reads } = listeners;
  pushes.open({
    receive: (request, authorizerAppId) =>
      authorizerAppId === undefined
        ? callback.receive(request, authorizationUrl)
        : messages.receive(request, authorizerAppId),
    stopped: () => stop.begun,
  });
  fastify.addHook('onRoute', (route) => reads.learn(route));
  reads.open({
    check: (request) => guard.check(request),
    components: (appid) => components.get(appid),
    authorizers: (appid) => authorizers.get(appid),
    stopped: () => stop.begun,
  });
  fastify.addHook('onRequest', (request: KnownRequest, _reply, done) => {
    const refused = refusedBefore(request.raw);
    if (!refused) return done();
    request.caller = refused.caller;
    throw refused.error;
  });
}

function answerWhatIsNoRequest({ server }: FastifyInstance, brake: LogBrake): void {
  server.removeAllListeners('clientError');
  const answers = new WeakMap<object, ServerResponse>();
  server.prependListener('request', ({ socket }, response) => answers.set(socket, response));
  server.on('clientError', (error, socket) =>
    answerClientError(error, socket as Socket, answers.get(socket), brake),
  );
  server.on('connect', (_request, socket) => refuseTunnel(socket as Socket, brake));
  passOnExpectations(server);
}

function useRequestContext(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, _, done) => runWithRequestId(request.id, done));
}

function refuseRequestsAtStop(fastify: FastifyInstance, stop: Stopping): void {
  fastify.addHook('preClose', (done) => {
    stop.begin();
    done();
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    if (!stop.begun) return done();
    void reply.header('connection', 'close');
    // What was refused before the framework has a reason of its own.
    return refusedBefore(request.raw) ? done() : done(stopping());
  });
}

function stopping(): HubError {
  return new HubError('stopping', 'The hub is stopping; ask again', {
    status: 503,
    level: 'debug',
  });
}

/** Refuses a head that is wrong whatever its route, and a route that there is not. */
function refuseByHead(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, _reply, done) => {
    const refusal = headRefusal(request.raw);
    if (refusal) throw refusal;
    // A read that hands something out once would hand it out to nobody.
    if (request.method === 'HEAD' && request.routeOptions.url === ONCE) throw onlyByGet();
    if (request.is404) throw new HubError('not_found', 'There is no such route', { status: 404 });
    done();
  });
}

function onlyByGet(): HubError {
  return new HubError('method_not_allowed', 'Ask by GET', { status: 405 });
}

/** Refuses those who may not do what is asked for; the pattern of the route counts, not its spelling. */
function refuseStrangers(
  fastify: FastifyInstance,
  guard: AccessGuard,
  { openEndpoints }: AppConfig,
): void {
  const open = openEndpoints.map((name) => OPEN[name]);
  fastify.decorateRequest('caller', undefined);
  fastify.addHook('onRequest', (request: KnownRequest, _reply, done) => {
    const { url = '', config } = request.routeOptions;
    const isGuarded = config.scopes !== undefined || (GUARDED.test(url) && !config.open);
    if (!isGuarded || open.some((pattern) => pattern.test(url))) return done();
    const admit = (caller: Caller): void => {
      request.caller = caller;
      done();
    };
    const caller = guard.check(request);
    if (caller instanceof Promise) caller.then(admit, done);
    else admit(caller);
  });
}

/** Refuses a body that cannot be read by its type, before a byte of it is read. */
function refuseByType(fastify: FastifyInstance, { gateway }: AppConfig): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const readsBody = hasBody(request.raw) && !BODYLESS.includes(request.method);
    if (request.routeOptions.config.forwards) {
      if (Number(request.headers['content-length'] ?? 0) > gateway.bodyLimit) {
        throw tooLarge(gateway.bodyLimit);
      }
      allowBody(request, reply, gateway.bodyLimit);
      return done();
    }
    if (readsBody && !isCallback(request) && request.mediaType !== 'application/json') {
      throw unsupportedMediaType();
    }
    allowBody(request, reply, isCallback(request) ? BODY_LIMIT : JSON_LIMIT);
    done();
  });
}

/** Callback bodies as bytes whatever their type, WeChat's types being unreliable; the rest JSON. */
function useBodyParsers(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, _, done) => {
    // Fastify refuses a type that is malformed; that of a callback does not matter.
    if (isCallback(request)) request.raw.headers['content-type'] = undefined;
    done();
  });
  fastify.removeAllContentTypeParsers();
  useJsonBodies(fastify);
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    if (isCallback(request)) done(null, body);
    // Clients name a type also where there is nothing to send.
    else if (body.length === 0) done(null, undefined);
    else done(unsupportedMediaType());
  });
}

/** Links of the page that customers see are relative: below a slash at its end they lead astray. */
function leadToOneUrlOfPages(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const [path = ''] = request.url.split('?', 1);
    if (request.routeOptions.url !== AUTHORIZE_PAGE || !path.endsWith('/')) return done();
    const name = path.split('/').findLast((segment) => segment !== '') ?? '';
    const slashes = path.length - path.lastIndexOf(name) - name.length;
    // Relative, too: a proxy may have the hub below a path of its own.
    const url = `${'../'.repeat(slashes)}${name}${request.url.slice(path.length)}`;
    void reply.redirect(url, 308);
  });
}

function isCallback(request: FastifyRequest): boolean {
  return request.routeOptions.url?.startsWith('/callback/') ?? false;
}

function unsupportedMediaType(): HubError {
  return new HubError('unsupported_media_type', 'Send application/json', { status: 415 });
}

function useApiDocs(app: NestFastifyApplication, fastify: FastifyInstance): void {
  const document = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('component-hub')
    .setDescription(
      'Credentials of WeChat third-party platforms (微信开放平台第三方平台): received, kept alive, handed out.',
    )
    .setVersion('1')
    .addSecurity('bearer', {
      type: 'http',
      scheme: 'bearer',
      description: 'ADMIN_TOKEN, or an API key',
    })
    .build();
  // Made once, on the first visit: it costs start-up time that only readers should pay. Kept as
  // bytes: as objects and as the script of the page it takes ten times the memory.
  let bytes: Buffer | undefined;
  const made = (): Buffer => {
    if (bytes) return bytes;
    const complete = SwaggerModule.createDocument(app, document, DOCUMENT_OPTIONS);
    documentProxy(complete);
    documentWx(complete);
    finishDocument(complete);
    bytes = Buffer.from(JSON.stringify(complete));
    return bytes;
  };
  SwaggerModule.setup(
    'docs',
    app,
    { ...document, paths: {} },
    {
      customSiteTitle: 'component-hub',
      raw: ['yaml'],
      patchDocumentOnRequest: () => JSON.parse(made().toString()) as OpenAPIObject,
    },
  );
  fastify.get('/docs-json', (_, reply) => {
    void reply.type(JSON_TYPE).send(made());
  });
}
