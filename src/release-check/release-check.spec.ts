import { describe, expect, it } from 'vitest';
import {
  isReleaseCheckAccount,
  RELEASE_CHECK_ACCOUNTS,
} from '../callback/release-check-accounts.js';
import { releaseCheckAnswer, type ReleaseCheckAnswer } from './release-check.js';

const OFFICIAL = 'wx570bc396a51b8ff8';
const PROGRAM = 'wxd101a85aa106f53e';
const NONE: ReleaseCheckAnswer = { kind: 'none' };

type CheckedPush = Parameters<typeof releaseCheckAnswer>[0];

function text(content: string, authorizerAppId: string | null = OFFICIAL): CheckedPush {
  return {
    kind: 'message',
    authorizerAppId,
    msgType: 'text',
    event: null,
    fields: { Content: content },
  };
}

function event(name: string, authorizerAppId: string = OFFICIAL): CheckedPush {
  return { kind: 'event', authorizerAppId, msgType: 'event', event: name, fields: { Event: name } };
}

describe('the release check', () => {
  it('has five accounts of each kind, all different', () => {
    const count = (type: string): number =>
      RELEASE_CHECK_ACCOUNTS.filter((account) => account.type === type).length;
    expect([count('official_account'), count('mini_program')]).toEqual([5, 5]);
    const ids = RELEASE_CHECK_ACCOUNTS.flatMap(({ appid, userName }) => [appid, userName]);
    expect(new Set(ids).size).toBe(20);
    for (const { appid, userName } of RELEASE_CHECK_ACCOUNTS) {
      expect(appid).toMatch(/^wx[\da-f]{16}$/);
      expect(userName).toMatch(/^gh_[\da-f]{12}$/);
      expect(isReleaseCheckAccount(appid)).toBe(true);
    }
  });

  it.each<[string, CheckedPush, ReleaseCheckAnswer | undefined]>([
    [
      'the test text',
      text('TESTCOMPONENT_MSG_TYPE_TEXT'),
      { kind: 'text', content: 'TESTCOMPONENT_MSG_TYPE_TEXT_callback' },
    ],
    ['a code', text('QUERY_AUTH_CODE:q@@@a:b'), { kind: 'code', code: 'q@@@a:b' }],
    ['a code to a mini program', text('QUERY_AUTH_CODE:q', PROGRAM), { kind: 'code', code: 'q' }],
    ['a code with a line end', text('QUERY_AUTH_CODE:q\n'), { kind: 'code', code: 'q' }],
    ['no code', text('QUERY_AUTH_CODE:'), { kind: 'code', code: '' }],
    ['another text', text('hello'), NONE],
    ['a code that is not at the beginning', text(' QUERY_AUTH_CODE:q'), NONE],
    ['an event', event('LOCATION'), { kind: 'text', content: 'LOCATIONfrom_callback' }],
    [
      'an event in its case',
      event('subscribe'),
      { kind: 'text', content: 'subscribefrom_callback' },
    ],
    ['an event without a name', event(''), NONE],
    ['an event of a mini program', event('user_enter_tempsession', PROGRAM), NONE],
    ['an image', { ...text('x'), msgType: 'image' }, NONE],
    ['a text of fields', { ...text('x'), fields: { Content: { a: 'b' } } }, NONE],
    ['the test text to anybody else', text('TESTCOMPONENT_MSG_TYPE_TEXT', 'wx0'), undefined],
    ['a code to anybody else', text('QUERY_AUTH_CODE:q', 'wx0'), undefined],
    ['an event of nobody', text('QUERY_AUTH_CODE:q', null), undefined],
  ])('is answered rightly for %s', (_, push, answer) => {
    expect(releaseCheckAnswer(push)).toEqual(answer);
  });
});
