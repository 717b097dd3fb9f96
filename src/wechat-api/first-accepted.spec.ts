import { describe, expect, it } from 'vitest';
import { firstAccepted } from './first-accepted.js';
import { WechatApiError } from './wechat-api.error.js';
import type { FailureKind } from './wechat-errcode.js';

/** WeChat as it answers each candidate: a kind of refusal, or the candidate in capitals. */
async function tryAll(
  answers: Record<string, FailureKind | 'ok'>,
  options: { beforeNext?: () => Promise<void> } = {},
): Promise<{ result: unknown; tried: string[] }> {
  const [first = '', ...others] = Object.keys(answers);
  const tried: string[] = [];
  const candidates = {
    first,
    more: async () => others,
    refusals: ['ticket', 'secret'] as FailureKind[],
    ...options,
  };
  const result = await firstAccepted(candidates, async (candidate) => {
    tried.push(candidate);
    const kind = answers[candidate] ?? 'ok';
    if (kind !== 'ok') throw new WechatApiError('/path', kind, `${candidate} refused`, {});
    return candidate.toUpperCase();
  }).catch((error: Error) => error.message);
  return { result, tried };
}

describe('trying candidates until WeChat accepts one', () => {
  it('asks once when the first is accepted', async () => {
    expect(await tryAll({ a: 'ok', b: 'ok' })).toEqual({ result: 'A', tried: ['a'] });
  });

  it('goes on while candidates are refused for what they are', async () => {
    const outcome = await tryAll({ a: 'ticket', b: 'secret', c: 'ok', d: 'ok' });
    expect(outcome).toEqual({ result: 'C', tried: ['a', 'b', 'c'] });
  });

  it('reports the first refusal when all are refused', async () => {
    const outcome = await tryAll({ a: 'ticket', b: 'secret' });
    expect(outcome).toEqual({ result: 'a refused', tried: ['a', 'b'] });
  });

  it.each(['busy', 'network', 'quota', 'ip'] as const)(
    'stops at %s, which another candidate would not cure',
    async (kind) => {
      expect(await tryAll({ a: kind, b: 'ok' })).toEqual({ result: 'a refused', tried: ['a'] });
      const later = await tryAll({ a: 'ticket', b: kind, c: 'ok' });
      expect(later).toEqual({ result: 'b refused', tried: ['a', 'b'] });
    },
  );

  it('makes no further call when it may not', async () => {
    const beforeNext = async (): Promise<void> => {
      throw new Error('the lease is lost');
    };
    const outcome = await tryAll({ a: 'ticket', b: 'ok' }, { beforeNext });
    expect(outcome).toEqual({ result: 'the lease is lost', tried: ['a'] });
  });
});
