import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AUDIT_ACTIONS as SHOWN_ACTIONS } from '../console/src/data/audit-actions.js';
import { en } from '../console/src/texts/en.js';
import { findings } from '../console/src/texts/findings.js';
import { remarks } from '../console/src/texts/remarks.js';
import { zh } from '../console/src/texts/zh.js';
import { AUDIT_ACTIONS } from '../src/auth/audit.service.js';
import { AUTHORIZER_STATUSES } from '../src/authorizer/authorizer.js';
import { REMARKS, remark, remarkIn } from '../src/common/remarks.js';
import { DELIVERY_STATUSES } from '../src/delivery/delivery.entity.js';
import { FINDINGS } from '../src/doctor/findings.js';
import { CHECK_IDS } from '../src/doctor/doctor.views.js';
import { FAILURE_POLICIES } from '../src/token-engine/failure-policy.js';

/*
 * What the hub says by a code has words in the console: tables against catalogues, so that a new row
 * without words fails here and not on a page that somebody has to open.
 */

/** What no request of the console's is answered with: who is, reads English or a program. */
const NOT_FOR_THE_CONSOLE = new Set(
  [
    // WeChat's pushes, and the lists of those that were refused, which have words of their own.
    'appid_mismatch call_of_a_hub encoding_aes_key_illegal encrypt_type_unsupported',
    'push_undecryptable signature_invalid timestamp_out_of_window xml_invalid reply_invalid',
    // Services by /api, /proxy and /wx.
    'authorization_code_foreign authorization_result_gone authorization_result_unknown',
    'authorizer_appid_invalid bad_query bad_wechat_path kept_by_hub token_in_query',
    'too_many_calls too_slow user_unknown wrong_owner client_gone',
    // Before a route is found, and before a hub has begun.
    'expectation_failed headers_too_large config_invalid',
  ].flatMap((line) => line.split(' ')),
);

/** Codes of errors in the source: they have no table, but each is a literal. */
function errorCodes(): string[] {
  const source = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
    .map((name) => readFileSync(`src/${name}`, 'utf8'))
    .join('\n');
  const thrown = [...source.matchAll(/(?:HubError|super)\(\s*'([a-z]+_[a-z_]+)'/g)];
  const documented = [...source.matchAll(/ApiHubError\(\s*\d+,\s*'([a-z]+_[a-z_]+)'/g)];
  return [...new Set([...thrown, ...documented].map(([, code = '']) => code))].toSorted();
}

const places = (text = ''): string[] => [
  ...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name).toSorted()),
];

describe('the catalogues of the console', () => {
  it.each([
    ['sentences about failures', Object.keys(REMARKS), remarks],
    ['findings of the doctor', Object.keys(FINDINGS), findings],
    ['checks of the doctor', [...CHECK_IDS], zh.doctor.checks],
    ['kinds of failed exchanges', Object.keys(FAILURE_POLICIES), zh.advice],
    ['states of deliveries', [...DELIVERY_STATUSES], zh.states],
    ['states of accounts', [...AUTHORIZER_STATUSES], zh.states],
    ['acts', AUDIT_ACTIONS.map((one) => one.replace('.', '_')), zh.audit.actions],
    ['errors', errorCodes().filter((one) => !NOT_FOR_THE_CONSOLE.has(one)), zh.errors],
  ])('have Chinese words for all %s', (_, codes, words) => {
    expect(codes.length).toBeGreaterThan(3);
    const table = words as Record<string, unknown>;
    const hasWords = (code: string): boolean => /\p{Script=Han}/u.test(JSON.stringify(table[code]));
    expect(codes.filter((code) => !hasWords(code))).toEqual([]);
  });

  it('let the audit trail be filtered by all acts', () => {
    expect(SHOWN_ACTIONS).toEqual([...AUDIT_ACTIONS, 'access.refused'].toSorted());
    expect(Object.keys(en.audit.actions)).toHaveLength(SHOWN_ACTIONS.length);
  });

  it('say no sentence that the hub does not, and with its facts', () => {
    expect(Object.keys(remarks).toSorted()).toEqual(Object.keys(REMARKS).toSorted());
    for (const [code, text] of Object.entries(REMARKS)) {
      expect([code, places(remarks[code])]).toEqual([code, places(text)]);
    }
    expect(Object.keys(findings).toSorted()).toEqual(Object.keys(FINDINGS).toSorted());
    for (const [code, meaning] of Object.entries(FINDINGS)) {
      const { seen, remedy }: { seen: string; remedy?: string } = meaning;
      const words = findings[code];
      expect([code, places(words?.seen), words?.remedy && places(words.remedy)]).toEqual([
        code,
        places(seen),
        remedy && places(remedy),
      ]);
    }
  });
});

describe('a sentence about a failure', () => {
  it('is read back to its code, whichever it is', () => {
    for (const [code, text] of Object.entries(REMARKS)) {
      const facts = Object.fromEntries(places(text).map((name, at) => [name, `fact${at}`]));
      const said = text.replaceAll(/\{(\w+)\}/g, (_, name: string) => facts[name] ?? '');
      expect(remarkIn(said)).toEqual({ code, facts, why: null });
    }
  });

  it('holds another one by its code, too', () => {
    const why = remark('proxy_unreachable', { proxy: 'proxy:3128', code: 'ECONNREFUSED' });
    expect(remarkIn(remark('connection_none', { why }))).toEqual({
      code: 'connection_none',
      facts: { why },
      why: { code: 'proxy_unreachable', facts: { proxy: 'proxy:3128', code: 'ECONNREFUSED' } },
    });
  });

  it.each([[null], [''], ['something of somebody else'], ['x'.repeat(5000)]])(
    'that is none of the hub’s has no code: %s',
    (text) => expect(remarkIn(text)).toBeNull(),
  );
});
