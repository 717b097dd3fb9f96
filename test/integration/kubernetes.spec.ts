import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import ts from 'typescript-6';
import { expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { variables } from '../../src/config/variables.js';
import { parseConfig } from '../../src/config/app-config.js';
import openApi from '../../docs/openapi.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, 'ops/kubernetes');
/** Seconds that a hub takes to stop, besides its delay. */
const STOP_SECONDS = 10;

// What is looked at below; the types of Kubernetes check the rest.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Manifest = any;

const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
const manifest = (name: string): Manifest => parse(read(name), { merge: true });
const kustomization = manifest('kustomization.yaml');
const names: string[] = kustomization.resources;
const deployment = manifest('deployment.yaml');
const pod = deployment.spec.template.spec;
const [hub] = pod.containers;

/**
 * What the Kubernetes API would not take: types made from its OpenAPI document, under which a field
 * that it does not know is an error.
 */
function problems(manifests: Manifest[]): string[] {
  mkdirSync(join(ROOT, '.test-output'), { recursive: true });
  const folder = mkdtempSync(join(ROOT, '.test-output/kubernetes-'));
  const lines = manifests.map((one, index) => {
    const [group = '', version] = one.apiVersion.includes('/')
      ? one.apiVersion.split('/')
      : ['core', one.apiVersion];
    const type = `import('kubernetes-types/${group.split('.')[0]}/${version}').${one.kind}`;
    return `export const m${index}: ${type} = ${JSON.stringify(one)};`;
  });
  const file = join(folder, 'manifests.ts');
  writeFileSync(file, lines.join('\n'));
  const program = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    lib: ['lib.es5.d.ts'],
    types: [],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  });
  const found = ts.getPreEmitDiagnostics(program);
  rmSync(folder, { recursive: true });
  return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

it('is what Kubernetes takes, every field of it', () => {
  expect(problems(names.map(manifest))).toEqual([]);
});

it('would not pass with a field that is misspelt, or of another type', () => {
  const misspelt = structuredClone(deployment);
  misspelt.spec.template.spec.containers[0].readinesProbe = hub.readinessProbe;
  const words = structuredClone(deployment);
  words.spec.replicas = 'two';
  expect(problems([misspelt, words])).toEqual([
    expect.stringContaining('readinesProbe'),
    expect.stringContaining("'number'"),
  ]);
});

it('is all of its folder, and holds together in kustomize where kubectl is', () => {
  const files = readdirSync(FOLDER).filter((name) => !name.startsWith('README'));
  const generated = ['configMapGenerator', 'secretGenerator'].flatMap(
    (kind) => kustomization[kind][0].envs,
  );
  const wanted = ['kustomization.yaml', ...names, ...generated];
  expect(files.toSorted()).toEqual(wanted.toSorted());
  const { stdout, error } = spawnSync('kubectl', ['kustomize', FOLDER], { encoding: 'utf8' });
  if (error) return console.log('kubectl kustomize is skipped: kubectl is missing');
  const made = parseAllDocuments(stdout).map((document) => document.toJS());
  expect(made).toHaveLength(names.length + generated.length);
  expect(problems(made)).toEqual([]);
});

it('gives the hub settings that it has, and secrets by file only', () => {
  const settings = parseEnv(read('settings.env'));
  const secrets = parseEnv(read('secrets.env'));
  const byFile = hub.env.map(({ name, value }: Manifest) => [name, value]);
  const files = Object.keys(secrets).map((name) => [`${name}_FILE`, `/run/secrets/hub/${name}`]);
  expect(byFile.toSorted()).toEqual(files.toSorted());
  expect(Object.keys(variables)).toEqual(
    expect.arrayContaining([...Object.keys(settings), ...Object.keys(secrets)]),
  );
  expect(hub.envFrom).toEqual([
    { configMapRef: { name: kustomization.configMapGenerator[0].name } },
  ]);
  expect(pod.volumes[0].secret.secretName).toBe(kustomization.secretGenerator[0].name);
  const own = {
    DATABASE_URL: secrets.DATABASE_URL,
    MASTER_KEYS: `k1:${Buffer.alloc(32, 'a').toString('base64')}`,
    ADMIN_TOKEN: 'fake-admin-token-of-24-characters',
    METRICS_TOKEN: 'fake-metrics-token-of-the-tests',
  };
  expect(parseConfig({ ...settings, ...own }).stopDelaySeconds).toBe(10);
  for (const name of ['MASTER_KEYS', 'ADMIN_TOKEN', 'METRICS_TOKEN'] as const) {
    expect(() => parseConfig({ ...settings, ...own, [name]: secrets[name] })).toThrow(name);
  }
});

it('asks the hub by routes that it has, at the port on which it listens', () => {
  const probes = [hub.startupProbe, hub.readinessProbe, hub.livenessProbe].map(
    ({ httpGet }) => httpGet,
  );
  for (const { path, port } of probes) {
    expect(Object.keys(openApi.paths)).toContain(path);
    expect(port).toBe('http');
  }
  expect(probes.map(({ path }) => path)).toEqual(['/health/live', '/health/ready', '/health/live']);
  expect(hub.ports).toEqual([
    { name: 'http', containerPort: variables.PORT.schema.parse(undefined) },
  ]);
  expect(manifest('service.yaml').spec.ports[0].targetPort).toBe('http');
  expect(manifest('network-policy.yaml').spec.ingress[0].ports[0].port).toBe('http');
});

it('publishes what WeChat and customers need, and nothing else', () => {
  const [{ http }] = manifest('ingress.yaml').spec.rules;
  expect(http.paths.map(({ path }: Manifest) => path)).toEqual(['/callback/', '/authorize/']);
  for (const { backend } of http.paths) {
    expect(backend.service).toEqual({ name: 'component-hub', port: { name: 'http' } });
  }
});

it('replaces a hub only when a new one is ready, and lets the old one end by itself', () => {
  const { replicas, strategy, selector, template } = deployment.spec;
  expect([replicas, strategy.rollingUpdate]).toEqual([2, { maxSurge: 1, maxUnavailable: 0 }]);
  const delaySeconds = Number(parseEnv(read('settings.env')).STOP_DELAY_SECONDS);
  expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(delaySeconds + STOP_SECONDS);
  const { periodSeconds, failureThreshold } = hub.readinessProbe;
  expect(delaySeconds).toBeGreaterThan(periodSeconds * failureThreshold);
  const { labels } = template.metadata;
  expect(selector.matchLabels).toEqual(labels);
  expect(manifest('service.yaml').spec.selector).toEqual(labels);
  expect(manifest('network-policy.yaml').spec.podSelector.matchLabels).toEqual(labels);
  expect(manifest('pod-disruption-budget.yaml').spec.selector.matchLabels).toEqual(labels);
});

it('runs as the user of the image, who can write nothing but /tmp', () => {
  const user = /^USER (\d+):(\d+)$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
  const { runAsUser, runAsGroup, runAsNonRoot } = pod.securityContext;
  expect([runAsUser, runAsGroup, runAsNonRoot]).toEqual([
    Number(user?.[1]),
    Number(user?.[2]),
    true,
  ]);
  expect(hub.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
});
