import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.js';

const COMMITTED = join(import.meta.dirname, '../../docs/openapi.json');

describe('the API document', () => {
  let test: TestApp;
  let document: any;
  beforeAll(async () => {
    test = await createTestApp({ database: 'sqlite' });
    ({ json: document } = await test.hub.get('/docs-json'));
  });
  afterAll(() => test?.close());

  it('is the committed one; UPDATE_OPENAPI=1 writes that', () => {
    const text = `${JSON.stringify(document, null, 2)}\n`;
    if (process.env.UPDATE_OPENAPI === '1') writeFileSync(COMMITTED, text);
    expect(text === readFileSync(COMMITTED, 'utf8')).toBe(true);
  });

  it('is the same on its page and in YAML', async () => {
    const { text: script } = await test.hub.get('/docs/swagger-ui-init.js');
    const [, embedded = ''] = /"swaggerDoc": (\{.*\}),\s*"customOptions"/s.exec(script) ?? [];
    expect(JSON.parse(embedded)).toEqual(document);
    const { text: yaml } = await test.hub.get('/docs-yaml');
    const ids = Object.values<any>(document.paths).flatMap((one) => Object.values<any>(one));
    expect([...yaml.matchAll(/operationId: (\w+)/g)].map(([, id]) => id)).toEqual(
      ids.map(({ operationId }) => operationId),
    );
  });

  it('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
    expect(document.openapi).toBe('3.1.0');
  });

  it('has patterns that other languages can read', () => {
    const patterns = [...JSON.stringify(document).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(
      ([, pattern = '""']) => JSON.parse(pattern) as string,
    );
    expect(patterns.length).toBeGreaterThan(5);
    expect(patterns.filter((pattern) => /\\[pP]\{|\(\?[<!=]/.test(pattern))).toEqual([]);
  });

  const operations = (): [string, any][] =>
    Object.entries<any>(document.paths).flatMap(([path, methods]) =>
      Object.entries<any>(methods).map(([method, one]): [string, any] => [
        `${method} ${path}`,
        one,
      ]),
    );

  it('has names for operations that a generated client can have as functions', () => {
    const ids = operations().map(([, { operationId }]) => operationId as string);
    expect(ids.filter((id) => !/^[a-z]+(?:[A-Z][a-z\d]*)+$/.test(id))).toEqual([]);
    expect(ids).toEqual([...new Set(ids)]);
    expect(ids).toEqual(
      expect.arrayContaining([
        'listSubscriptions',
        'rotateSubscriptionSecret',
        'exportAuditRecords',
      ]),
    );
  });

  it('names the schema of every JSON that the hub takes or answers itself', () => {
    const schemas = operations()
      .filter(([where]) => !/ \/(?:proxy|wx|callback)\//.test(where))
      .flatMap(([where, { requestBody, responses }]) =>
        [requestBody, ...Object.values<any>(responses)].map((one) => ({
          where,
          schema: one?.content?.['application/json']?.schema,
        })),
      )
      .filter(({ schema }) => schema !== undefined);
    expect(schemas.length).toBeGreaterThan(60);
    const isNamed = (schema: any): boolean => (schema.items ?? schema).$ref !== undefined;
    expect(schemas.filter(({ schema }) => !isNamed(schema))).toEqual([]);
    const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/([^"]+)"/g);
    for (const [, name = ''] of references) {
      const [kind = '', noun = ''] = name.split('/');
      expect([name, document.components[kind][noun] !== undefined]).toEqual([name, true]);
    }
  });

  it('says of no list that it could be unknown', () => {
    const lists = operations().filter(
      ([where, { requestBody }]) => !/\{/.test(where) && !requestBody,
    );
    expect(lists.length).toBeGreaterThan(10);
    expect(lists.filter(([, { responses }]) => '404' in responses)).toEqual([]);
  });

  it('names what a bearer is refused with, also where a route has its own errors of that status', () => {
    const texts = operations()
      .filter(([, { security = [] }]) => security.some((one: object) => 'bearer' in one))
      .map(([where, { responses }]) => ({ where, 403: responses['403'], 429: responses['429'] }));
    const text = (response: any): string =>
      response.description ??
      document.components.responses[response.$ref.split('/').at(-1)].description;
    expect(texts.filter((one) => !text(one[403]).includes('missing_scope'))).toEqual([]);
    expect(texts.filter((one) => !text(one[429]).includes('rate_limited'))).toEqual([]);
    const { responses } = document.paths['/admin/authorizations/links'].post;
    expect(responses['403'].description).toMatch(/`component_disabled`.*`missing_scope`/s);
  });

  it('names the status and errcode of what /wx answers to those who have no key, or a wrong one', async () => {
    const all = operations().filter(([where]) => / \/wx\//.test(where));
    expect(all.length).toBeGreaterThan(20);
    const wrong = ['secret', 'component_appsecret', 'component_secret', 'appid', 'component_appid'];
    for (const [where, { responses }] of all) {
      const [method = '', path = ''] = where.replace('{path}', 'cgi-bin/menu/get').split(' ');
      for (const sent of [[], wrong]) {
        const query = sent.map((name) => `${name}=fake`).join('&');
        const answer = await test.hub.request(method.toUpperCase(), `${path}?${query}`, {
          headers: { authorization: '' },
          redirect: 'manual',
          ...(method !== 'get' && {
            body: JSON.stringify(Object.fromEntries(sent.map((name) => [name, 'fake']))),
          }),
        });
        // A page is for anybody.
        const isPage = responses['302'] !== undefined;
        expect([where, answer.status]).toEqual([where, isPage ? 302 : 200]);
        if (isPage) continue;
        expect([where, responses['200'].description]).toEqual([
          where,
          expect.stringContaining(` ${answer.json.errcode}: `),
        ]);
      }
    }
  });

  it('has the errcodes that the tables of the clients have', () => {
    const { description } = document.components.schemas.WechatError.properties.errcode;
    const codes = [...description.matchAll(/(?:^|; )(-?\d+): /g)].map(([, code]) => code);
    for (const name of ['clients.md', 'clients.zh-CN.md']) {
      const text = readFileSync(join(COMMITTED, '..', name), 'utf8');
      const rows = [...text.matchAll(/^\| (-?\d+) +\| /gm)].map(([, code]) => code);
      expect([name, rows.toSorted()]).toEqual([name, codes.toSorted()]);
    }
  });
});
