import { describe, expect, it } from 'vitest';
import { AskError, type Asked } from '../common/ask.js';
import type { FindingCode } from './findings.js';
import {
  adminVerdict,
  answerProblem,
  certificateProblem,
  credentialsVerdict,
  databaseClockVerdict,
  diskVerdict,
  egressVerdict,
  filesVerdict,
  obstacleOf,
  pushVerdict,
  refusalVerdict,
  replicationVerdict,
  schemaVerdict,
  serverVerdict,
  valuesVerdict,
  wayVerdict,
  type FileFacts,
  type Refusal,
} from './verdicts.js';

const URL = 'https://hub.example.com';
const DAY = 86_400_000;
const MIB = 1024 * 1024;

describe('files', () => {
  it.each<[string, FileFacts, FindingCode]>([
    ['for its user alone', { path: '.env', mode: 0o100600, folderMode: 0o755 }, 'files_ok'],
    ['for its group', { path: '.env', mode: 0o640, folderMode: 0o755 }, 'files_open'],
    ['for all to read', { path: '.env', mode: 0o644, folderMode: 0o755 }, 'files_open'],
    ['for all to write', { path: '.env', mode: 0o602, folderMode: 0o755 }, 'files_open'],
    ['in a folder of its own', { path: 's/k', mode: 0o644, folderMode: 0o700 }, 'files_ok'],
    ['of Compose', { path: '/run/secrets/k', mode: 0o644, folderMode: 0o755 }, 'files_ok'],
    ['without a mode', { path: 'data' }, 'files_ok'],
    ['of no use', { path: 'x', problem: 'x cannot be read: …' }, 'files_unusable'],
  ])('%s', (_, file, code) => {
    expect(filesVerdict([{ path: 'other' }, file]).code).toBe(code);
  });
});

describe('the database server', () => {
  const well = { timeZone: 'UTC', journal: '', otherCharset: [], now: 1 };
  it.each<[Parameters<typeof serverVerdict>[0], FindingCode]>([
    [{ ...well, product: 'MySQL', version: '8.4.3' }, 'server_ok'],
    [{ ...well, product: 'MySQL', version: '8.0.40' }, 'server_old'],
    [{ ...well, product: 'MySQL', version: '9.1.0' }, 'server_ok'],
    [{ ...well, product: 'MariaDB', version: '10.11.6' }, 'server_ok'],
    [{ ...well, product: 'MariaDB', version: '10.6.20' }, 'server_old'],
    [{ ...well, product: 'MariaDB', version: '11.8.2' }, 'server_ok'],
    [{ ...well, product: 'MySQL', version: '8.4.3', otherCharset: ['a'] }, 'server_charset'],
    [{ ...well, product: 'SQLite', version: '3.45.1', journal: 'wal' }, 'server_ok'],
    [{ ...well, product: 'SQLite', version: '3.45.1', journal: 'delete' }, 'server_journal'],
  ])('%j is %s', (facts, code) => {
    expect(serverVerdict(facts).code).toBe(code);
  });

  it.each<[string[], string[], FindingCode]>([
    [[], [], 'schema_ok'],
    [['A1'], ['B1'], 'schema_behind'],
    [[], ['B1'], 'schema_ahead'],
  ])('that lacks %j and knows %j is %s', (missing, unknown, code) => {
    expect(schemaVerdict({ missing, unknown }).code).toBe(code);
  });

  it.each<[number, FindingCode]>([
    [5000 * MIB, 'disk_ok'],
    [1000 * MIB, 'disk_low'],
    [63 * MIB, 'disk_full'],
  ])('with %i bytes free is %s', (bytes, code) => {
    expect(diskVerdict(bytes).code).toBe(code);
  });

  it.each<[Parameters<typeof replicationVerdict>[0], FindingCode]>([
    [undefined, 'replication_none'],
    ['hidden', 'replication_hidden'],
    [{ seconds: 0 }, 'replication_ok'],
    [{ seconds: 90 }, 'replication_late'],
    [{ seconds: null }, 'replication_broken'],
  ])('as a replica %j is %s', (facts, code) => {
    expect(replicationVerdict(facts).code).toBe(code);
  });

  it.each<[number | undefined, FindingCode]>([
    [undefined, 'database_clock_same'],
    [1_004_000, 'database_clock_ok'],
    [1_005_000, 'database_clock_off'],
    [990_000, 'database_clock_off'],
  ])('with the clock %j is %s', (theirs, code) => {
    expect(databaseClockVerdict(theirs, 1_000_000).code).toBe(code);
  });
});

describe('no answer', () => {
  it.each([
    ['ENOTFOUND', 'dns', 'way_dns'],
    ['EAI_AGAIN', 'dns', 'way_dns'],
    ['CERT_HAS_EXPIRED', 'tls', 'way_tls'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls', 'way_tls'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls', 'way_tls'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls', 'way_tls'],
    ['EPROTO', 'tls', 'way_tls'],
    ['ERR_PROXY', 'proxy', 'way_unreachable'],
    ['ECONNREFUSED', 'unreachable', 'way_unreachable'],
    ['ETIMEDOUT', 'unreachable', 'way_unreachable'],
  ])('for %s is one of %s', (code, obstacle, way) => {
    const error = new AskError('it failed', code, 1);
    expect(obstacleOf(error)).toBe(obstacle);
    expect(wayVerdict(error, URL).code).toBe(way);
  });
});

describe('an answer through PUBLIC_URL', () => {
  const well: Asked = {
    status: 200,
    location: undefined,
    body: 'success',
    milliseconds: 12,
    certificateEnds: undefined,
  };
  const refused = (code: string): Partial<Asked> => ({
    status: 400,
    body: `{"error":{"code":"${code}","message":"…","id":"1"}}`,
  });

  it.each<[string, Partial<Asked>, FindingCode | undefined]>([
    ['as it was sent', {}, undefined],
    ['of a redirect', { status: 301, location: 'https://other/' }, 'way_redirect'],
    ['of a redirect to nowhere', { status: 308 }, 'way_redirect'],
    ['to no query', refused('parameter_missing'), 'way_query'],
    ['to another query', refused('signature_invalid'), 'way_query'],
    ['of another hub', refused('component_unknown'), 'way_path'],
    ['to another path', { status: 404, body: '<h1>Not found</h1>' }, 'way_path'],
    ['of a proxy', { status: 502, body: '<h1>Bad gateway</h1>' }, 'way_refused'],
    ['of a hub without a database', { ...refused('database_unavailable') }, 'way_refused'],
    ['with more behind it', { body: 'success<script/>' }, 'way_changed'],
    ['with a line end', { body: 'success\n' }, 'way_changed'],
    ['of nothing', { body: '' }, 'way_changed'],
  ])('%s', (_, change, code) => {
    const asked = { ...well, ...change };
    expect(answerProblem(asked, 'success', URL)?.code).toBe(code);
    expect(pushVerdict(asked, URL).code).toBe(code ?? 'push_ok');
  });

  it('may be slow', () => {
    expect(pushVerdict({ ...well, milliseconds: 2500 }, URL).code).toBe('push_slow');
  });

  it.each<[number | undefined, number | undefined]>([
    [undefined, undefined],
    [15 * DAY, undefined],
    [13.5 * DAY, 13],
  ])('under a certificate that ends after %j ms', (certificateEnds, days) => {
    expect(certificateProblem({ ...well, certificateEnds }, URL, 0)?.facts.days).toBe(days);
  });

  const id = '0b6f2c1e-5d0a-4a53-9a3c-7a1f2f3c4d5e';
  const hubRefusal = `{"error":{"code":"not_found","message":"There is no such route","id":"${id}"}}`;
  it.each<[Partial<Asked>, FindingCode]>([
    [{ status: 404, body: hubRefusal }, 'admin_open'],
    // A proxy may take another status for its own page, and give the hub's all the same.
    [{ status: 200, body: hubRefusal }, 'admin_open'],
    [{ status: 404, body: '<h1>Not found</h1>' }, 'admin_closed'],
    [{ status: 403, body: '{"error":{"code":"not_found","id":"r2"}}' }, 'admin_closed'],
    [{ status: 301, body: '' }, 'admin_unknown'],
    [{ status: 502, body: '' }, 'admin_unknown'],
  ])('below /admin: %j is %s', (change, code) => {
    expect(adminVerdict({ ...well, ...change }, URL).code).toBe(code);
  });
});

describe('the values of a platform', () => {
  const appSecret = '0123456789abcdef0123456789abcdef';
  const well = { appSecret, token: 'myToken1', encodingAesKey: 'a'.repeat(43) };
  it.each<[Partial<typeof well>, string[]]>([
    [{}, []],
    [{ appSecret: `${appSecret} ` }, ['AppSecret']],
    [{ appSecret: `0123\t${appSecret}` }, ['AppSecret']],
    [{ appSecret: appSecret.slice(1) }, ['AppSecret']],
    [{ token: ' myToken1' }, ['Token']],
    [{ token: 'my token' }, ['Token']],
    [{ encodingAesKey: 'a'.repeat(42) }, ['EncodingAESKey']],
    [{ encodingAesKey: `${'a'.repeat(43)}\u200b`, token: '!' }, ['Token', 'EncodingAESKey']],
  ])('%j', (change, names) => {
    const { code, details } = valuesVerdict({ ...well, ...change });
    expect(details.map((line) => line.split(' · ')[0])).toEqual(names);
    expect(code).toBe(names.length > 0 ? 'values_odd' : 'values_ok');
    const given = Object.values(change).map((value) => value.trim());
    expect(given.filter((value) => value.length > 1 && details.join().includes(value))).toEqual([]);
  });
});

describe('a refusal of WeChat', () => {
  const refusal = (kind: Refusal['kind'], details = {}): Refusal => ({
    kind,
    message: 'no',
    details,
  });
  it.each<[Refusal, FindingCode, FindingCode, FindingCode]>([
    [
      refusal('ip', { errcode: 61004, clientIp: '203.0.113.9' }),
      'egress_refused',
      'credentials_ok',
      'egress_refused',
    ],
    [refusal('secret'), 'credentials_refused', 'credentials_refused', 'egress_ok'],
    [refusal('token'), 'credentials_refused', 'credentials_refused', 'egress_ok'],
    [
      refusal('banned', { errcode: 61028 }),
      'platform_unpublished',
      'platform_unpublished',
      'egress_ok',
    ],
    [refusal('busy'), 'asked_refused', 'credentials_ok', 'egress_ok'],
    [refusal('quota'), 'asked_refused', 'credentials_ok', 'egress_ok'],
  ])('%j', (failure, asked, credentials, egress) => {
    const facts = { failure, takenAt: 0 };
    expect(refusalVerdict(failure).code).toBe(asked);
    expect(credentialsVerdict(facts, 60_000).code).toBe(credentials);
    expect(egressVerdict(facts).code).toBe(egress);
  });

  it('is missing where WeChat was never asked', () => {
    const facts = { failure: undefined, takenAt: null };
    expect(credentialsVerdict(facts, 0).code).toBe('credentials_unproven');
    expect(egressVerdict(facts).code).toBe('egress_unproven');
    const taken = { failure: undefined, takenAt: 0 };
    expect(credentialsVerdict(taken, 120_000).facts).toEqual({ minutes: 2 });
  });
});
