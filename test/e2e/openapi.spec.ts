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
});
