import { StandardSchemaValidationPipe } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { v4 as uuidv4 } from 'uuid';
import { drainConnectionsOnClose } from './common/drain-connections.js';
import { HubError } from './common/hub-error.js';
import { HubErrorFilter, sendHubError } from './common/hub-error.filter.js';
import { emitTelemetry } from './common/telemetry.js';
import { runWithRequestId } from './common/request-context.js';

/** Largest body that is read, in bytes: 1 MiB. */
const BODY_LIMIT = 1024 * 1024;
/** See {@link drainConnectionsOnClose}. */
const FAREWELL_MS = 250;

/** Fastify as the hub needs it; given to Nest, then finished by {@link configureApp}. */
export function createAdapter(): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    // Ids from outside could be forged or hold anything.
    requestIdHeader: false,
    genReqId: () => uuidv4(),
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    frameworkErrors: answerBadUrl,
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
  drainConnectionsOnClose(fastify, farewellMs);
  useRequestHooks(fastify);
  useBodyParsers(fastify);
  app.useGlobalPipes(new StandardSchemaValidationPipe());
  app.useGlobalFilters(new HubErrorFilter());
  useApiDocs(app);
}

function useRequestHooks(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id).header('x-content-type-options', 'nosniff');
    runWithRequestId(request.id, done);
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

/** Callback bodies as bytes whatever their type, WeChat's types being unreliable; the rest JSON. */
function useBodyParsers(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, _, done) => {
    // Fastify refuses a type that is malformed; that of a callback does not matter.
    if (isCallback(request)) delete request.raw.headers['content-type'];
    done();
  });
  fastify.removeAllContentTypeParsers();
  const parseJson = fastify.getDefaultJsonParser('error', 'error');
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    if (isCallback(request)) done(null, body);
    // Clients name the type also where there is nothing to send.
    else if (body.length === 0) done(null, undefined);
    else if (isJson(request)) {
      // Callbacks and promises are both allowed by the type; the default parser calls back.
      void parseJson(request, body.toString('utf8'), done);
    } else done(unsupportedMediaType());
  });
}

function isCallback(request: FastifyRequest): boolean {
  return request.routeOptions.url?.startsWith('/callback/') ?? false;
}

function isJson(request: FastifyRequest): boolean {
  return /^application\/json\b/i.test(request.headers['content-type'] ?? '');
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
