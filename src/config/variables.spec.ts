import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseConfig } from './app-config.js';
import { variables, type Variable } from './variables.js';

const table = Object.entries<Variable>(variables);
const example = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');

/** How the table says that `.env.example` has a variable. */
function expectedLines(name: string, { schema, meaning, example: value }: Variable): string {
  const preset = defaultText(schema);
  const assignment = preset === undefined ? `# ${name}=${value}` : `${name}=${preset}`;
  return `# ${meaning}\n${assignment}`;
}

/** The default as it would be written in the environment; undefined where there is none. */
function defaultText(schema: Variable['schema']): string | undefined {
  const { data } = schema.safeParse(undefined);
  return data === undefined ? undefined : String(data);
}

describe('the table of variables', () => {
  it.each(table)('has an example of %s that passes its check', (_, { schema, example: value }) => {
    expect(schema.safeParse(value).success).toBe(true);
  });

  it.each(table)('says what %s means in one line', (_, { meaning }) => {
    expect(meaning).toMatch(/^[^\n]{5,200}$/);
  });

  it('makes a configuration of its examples together, with secrets that nobody knows', () => {
    const all = {
      ...Object.fromEntries(table.map(([name, { example: value }]) => [name, value])),
      ADMIN_TOKEN: 'fake-admin-token-of-the-tests',
      METRICS_TOKEN: 'fake-metrics-token-of-the-tests',
      MASTER_KEYS: `k1:${Buffer.from('fake-master-key-of-the-tests-32b').toString('base64')}`,
    };
    expect(parseConfig(all).firstComponent?.appid).toBe(variables.WECHAT_COMPONENT_APPID.example);
  });
});

describe('.env.example', () => {
  it.each(table)('has the meaning and the default of %s', (name, variable) => {
    expect(example).toContain(`${expectedLines(name, variable)}\n`);
  });

  it('names no variable that the hub does not read, and none twice', () => {
    const named = [...example.matchAll(/^(?:# )?([A-Z][A-Z0-9_]*)=/gm)].map(([, name]) => name);
    expect(named).toEqual(Object.keys(variables));
  });

  it('configures a hub that starts with the defaults', () => {
    const active = [...example.matchAll(/^([A-Z][A-Z0-9_]*)=(.*)$/gm)];
    expect(active.length).toBeGreaterThan(0);
    const env = Object.fromEntries(active.map(([, name, value]) => [name, value]));
    expect({ ...parseConfig(env), settings: [] }).toEqual({ ...parseConfig({}), settings: [] });
  });
});
