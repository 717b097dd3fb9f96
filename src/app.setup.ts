import type { RequestListener } from 'node:http';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { v4 as uuidv4 } from 'uuid';
import { MemoryReads } from './auth/memory-reads.js';
import { drainConnectionsOnClose } from './common/drain-connections.js';
import { HubError } from './common/hub-error.js';
import { answerClientError } from './common/hub-error.client.js';
import { HubErrorFilter, sendHubError } from './common/hub-error.filter.js';
import { RequestPipe, useJsonBodies } from './common/json-body.js';
import { guardPages } from './common/page-policy.js';
import { emitTelemetry } from './common/telemetry.js';
import { runWithRequestId } from './common/request-context.js';
import { Stopping } from './common/stopping.js';

/** Largest body that is read, in bytes: 1 MiB, of a push. */
const BODY_LIMIT = 1024 * 1024;
const JSON_TYPE = 'application/json; charset=utf-8';
/** See {@link drainConnectionsOnClose}. */
const FAREWELL_MS = 250;

/** Fastify as the hub needs it; given to Nest, then finished by {@link configureApp}. */
export function createAdapter(): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    // Ids from outside could be forged or hold anything.
    requestIdHeader: false,
    genReqId: () => uuidv4(),
    // Answered by a hook, in the form that all errors have.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    frameworkErrors: answerBadUrl,
    clientErrorHandler: answerClientError,
  });
}

/** A URL that no route can have: it is refused before hooks and filters are reached. */
function answerBadUrl(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const { statusCode: status = 400 } = error;
  const code = status === 414 ? 'uri_too_long' : 'bad_request';
  void reply.header('x-request-id', request.id);
  sendHubError(new HubError(code, 'The URL is malformed', { status }), request.id, reply);
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
  useRequestHooks(fastify);
  const stop = app.get(Stopping);
  refuseRequestsAtStop(fastify, stop);
  answerFromMemory(fastify, app.get(MemoryReads), stop);
  useRequestContext(fastify);
  drainConnectionsOnClose(fastify, farewellMs);
  useBodyParsers(fastify);
  guardPages(fastify);
  app.useGlobalPipes(new RequestPipe());
  app.useGlobalFilters(new HubErrorFilter());
  useApiDocs(app);
}

function useRequestHooks(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.headers(headersOf(request.id));
    done();
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    emitTelemetry('http.request', {
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1000,
    });
    done();
  });
}

/** In front of Fastify, whose answers these look like in every respect. */
function answerFromMemory({ server }: FastifyInstance, reads: MemoryReads, stop: Stopping): void {
  const usual = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    const started = performance.now();
    const answer = stop.begun ? undefined : reads.answer(request);
    if (!answer) {
      for (const listener of usual) listener.call(server, request, response);
      return;
    }
    const body = JSON.stringify(answer.body);
    response
      .writeHead(200, {
        ...headersOf(uuidv4()),
        'content-type': JSON_TYPE,
        'content-length': Buffer.byteLength(body),
      })
      .end(body);
    const seconds = (performance.now() - started) / 1000;
    emitTelemetry('http.request', { method: 'GET', route: answer.route, status: 200, seconds });
  });
}

function headersOf(requestId: string): Record<string, string> {
  return { 'x-request-id': requestId, 'x-content-type-options': 'nosniff' };
}

function useRequestContext(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, _, done) => runWithRequestId(request.id, done));
}

function refuseRequestsAtStop(fastify: FastifyInstance, stop: Stopping): void {
  fastify.addHook('preClose', (done) => {
    stop.begin();
    done();
  });
  fastify.addHook('onRequest', (_request, reply, done) => {
    if (!stop.begun) return done();
    void reply.header('connection', 'close');
    return done(stopping());
  });
}

function stopping(): HubError {
  return new HubError('stopping', 'The hub is stopping; ask again', {
    status: 503,
    level: 'debug',
  });
}

/** Callback bodies as bytes whatever their type, WeChat's types being unreliable; the rest JSON. */
function useBodyParsers(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, _, done) => {
    // Fastify refuses a type that is malformed; that of a callback does not matter.
    if (isCallback(request)) delete request.raw.headers['content-type'];
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

function isCallback(request: FastifyRequest): boolean {
  return request.routeOptions.url?.startsWith('/callback/') ?? false;
}

function unsupportedMediaType(): HubError {
  return new HubError('unsupported_media_type', 'Send application/json', { status: 415 });
}

function useApiDocs(app: NestFastifyApplication): void {
  const document = new DocumentBuilder()
    .setTitle('component-hub')
    .setDescription(
      'Credentials of WeChat third-party platforms (微信开放平台第三方平台): received, kept alive, handed out.',
    )
    .setVersion('1')
    .addSecurity('bearer', { type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN' })
    .build();
  // Made on the first visit: it costs start-up time that only readers should pay.
  SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, document), {
    customSiteTitle: 'component-hub',
  });
}
