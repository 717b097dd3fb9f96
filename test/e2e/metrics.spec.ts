import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CHECK_IDS } from '../../src/doctor/doctor.views.js';
import { rawRequest } from '../support/http-exchange.js';
import { pushOf, pushXml } from '../support/callback-pushes.js';
import { databaseKinds } from '../support/databases.js';
import { COMPONENT } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

/** As strangers send them; no route has any of them. */
const METHODS = ['PUT', 'PROPFIND', 'MKCOL', 'REPORT', 'LINK'];
const OPS = join(import.meta.dirname, '../../ops');

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}

function alertRules(): Rule[] {
  const file = parse(readFileSync(join(OPS, 'alerts.yml'), 'utf8')) as {
    groups: { rules: Rule[] }[];
  };
  return file.groups.flatMap(({ rules }) => rules);
}

function dashboardExpressions(): string[] {
  const dashboard = JSON.parse(readFileSync(join(OPS, 'grafana-dashboard.json'), 'utf8')) as {
    panels: { targets: { expr: string }[] }[];
  };
  return dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
}

/** Undefined where it is not installed; Debian has it in the package prometheus. */
function promtool(...args: string[]): { status: number | null; said: string } | undefined {
  const { error, status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return error ? undefined : { status, said: stdout + stderr };
}

it('the alert rules are ones that Prometheus takes, and fire when they should', (context) => {
  const rules = join(OPS, 'alerts.yml');
  const checked = promtool('check', 'rules', rules);
  if (!checked) {
    const missing = 'there is no promtool on this machine';
    if (process.env.REQUIRE_PROMTOOL === '1') throw new Error(`REQUIRE_PROMTOOL=1, but ${missing}`);
    console.log(`Tests of the alert rules skipped: ${missing}`);
    return context.skip();
  }
  expect(checked.status, checked.said).toBe(0);
  const tested = promtool('test', 'rules', join(OPS, 'alerts.test.yml'));
  expect(tested?.status, tested?.said).toBe(0);
});

it('every alert is seen firing in their tests', () => {
  const tests = readFileSync(join(OPS, 'alerts.test.yml'), 'utf8');
  const fired = [...tests.matchAll(/alertname="(\w+)"/g)].map(([, name]) => name);
  expect(fired).toEqual(alertRules().map(({ alert }) => alert));
});

it('no alert leaves out a check of the doctor that there is not', () => {
  const expressions = alertRules().map(({ expr }) => expr);
  const left = expressions.flatMap((expr) => /check!~"([^"]+)"/.exec(expr)?.[1]?.split('|') ?? []);
  expect(left.length).toBeGreaterThan(5);
  expect(CHECK_IDS).toEqual(expect.arrayContaining(left));
});

/** Value of a sample whose line starts with `name` and holds every label. */
function sample(text: string, name: string, ...labels: string[]): number | undefined {
  const line = text
    .split('\n')
    .find((candidate) => candidate.startsWith(name) && labels.every((l) => candidate.includes(l)));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
}

describe.each(databaseKinds())('metrics on %s', (kind) => {
  let test: TestApp;
  let text: string;
  beforeAll(async () => {
    test = await createTestApp({ database: kind });
    const push = test.simulator.buildTicketPush(COMPONENT.appid);
    await test.hub.push(push);
    await test.hub.push(push);
    await test.hub.push(push, { query: push.query.replace('msg_signature=', 'msg_signature=0') });
    await test.hub.accessToken();
    await test.hub.accessToken('nobody');
    await test.hub.post(`/admin/tickets/${COMPONENT.appid}/start-push`);
    test.clock.advance(60_000);
    const answer = await test.hub.get('/metrics');
    expect(answer.headers.get('content-type')).toContain('text/plain');
    ({ text } = answer);
  });
  afterAll(() => test.close());

  const component = `component="${COMPONENT.appid}"`;

  it('tells the age of the ticket and the life left of the token', () => {
    expect(sample(text, 'hub_ticket_age_seconds', component)).toBeGreaterThanOrEqual(60);
    expect(sample(text, 'hub_ticket_age_seconds', component)).toBeLessThan(62);
    expect(sample(text, 'hub_token_remaining_seconds', component)).toBe(7140);
    expect(sample(text, 'hub_token_failed_attempts', component)).toBe(0);
  });

  it('counts pushes by type and outcome', () => {
    const pushes = 'hub_callback_pushes_total';
    const type = 'info_type="component_verify_ticket"';
    expect(sample(text, pushes, type, 'outcome="success"')).toBeGreaterThanOrEqual(1);
    expect(sample(text, pushes, type, 'outcome="repeated"')).toBe(1);
    expect(sample(text, pushes, 'unverified', 'outcome="signature_invalid"')).toBe(1);
    expect(sample(text, 'hub_callback_duration_seconds_count')).toBeGreaterThanOrEqual(3);
  });

  it('counts exchanges and calls to WeChat', () => {
    expect(sample(text, 'hub_token_exchanges_total', 'outcome="ok"')).toBe(1);
    const path = 'path="/cgi-bin/component/api_component_token"';
    expect(sample(text, 'hub_wechat_calls_total', path, 'errcode="ok"')).toBe(1);
    expect(sample(text, 'hub_ticket_start_push_total', component, 'outcome="ok"')).toBe(1);
  });

  it('labels requests by route, never by what was asked for', () => {
    expect(
      sample(
        text,
        'hub_http_request_duration_seconds_count',
        'route="/api/components/:componentAppId/access-token"',
        'status="404"',
      ),
    ).toBe(1);
    expect(text).not.toContain('nobody');
  });

  it('has one series for all that WeChat does not document', async () => {
    for (let index = 0; index < 40; index += 1) {
      const InfoType = `made_up_${index}`;
      const { status } = await test.hub.push(pushOf(test, pushXml(test, { InfoType })).built);
      expect(status).toBe(200);
      await rawRequest(test.hub.url, { method: METHODS[index % METHODS.length], path: '/x' });
    }
    const { text: after } = await test.hub.get('/metrics');
    expect(after).not.toMatch(/made_up|PROPFIND/);
    expect(sample(after, 'hub_callback_pushes_total', 'info_type="other"')).toBe(40);
    const methods = after.match(/_count\{method="\w+",route="unknown"/g);
    expect(methods?.map((line) => line.split('"')[1]).toSorted()).toEqual(['PUT', 'other']);
  });

  it('shows no secret', () => {
    expect(text).not.toMatch(/ticket@@@|\d\d_[\w-]{100,}/);
    expect(text).not.toContain(COMPONENT.appsecret);
  });

  it('has every metric that the alert rules and the dashboard use', () => {
    const rules = alertRules();
    expect(rules.length).toBeGreaterThan(5);
    for (const rule of rules) {
      expect(rule).toMatchObject({
        alert: expect.stringMatching(/^[A-Z]\w+$/),
        labels: { severity: expect.stringMatching(/^(page|ticket)$/) },
        annotations: { summary: expect.any(String), description: expect.any(String) },
      });
    }
    const expressions = [...rules.map(({ expr }) => expr), ...dashboardExpressions()];
    const names = new Set(expressions.flatMap((expr) => expr.match(/\bhub_\w+/g) ?? []));
    expect(names.size).toBeGreaterThan(8);
    const offered = text.match(/^# TYPE (\w+)/gm)?.map((line) => line.slice('# TYPE '.length));
    for (const name of names) {
      expect(offered).toContain(name.replace(/_(bucket|count|sum)$/, ''));
    }
  });
});
