import { describe, expect, it } from 'vitest';
import { checkRows, type BroughtRow } from './brought-accounts.js';
import { csvAccounts } from './csv-accounts.js';

const HEAD = 'component_appid,authorizer_appid,authorizer_refresh_token';
const TOKEN = 'refreshtoken@@@fake-one';

/** What becomes of the lines of a file: accounts, or why not. */
function read(text: string): unknown[] {
  const { accounts, problems } = checkRows(csvAccounts(text));
  return [
    ...accounts.map(({ componentAppId, authorizerAppId, brought }) => [
      componentAppId,
      authorizerAppId,
      brought.refreshToken.reveal(),
      brought.columns,
      brought.authorizedAt,
    ]),
    ...problems.map(({ place, problem }) => `${place}: ${problem}`),
  ];
}

describe('accounts of a CSV file', () => {
  it.each([
    ['plain', `${HEAD}\nwxp,wxa,${TOKEN}\n`, [['wxp', 'wxa', TOKEN, {}, null]]],
    ['without a last line end', `${HEAD}\nwxp,wxa,${TOKEN}`, [['wxp', 'wxa', TOKEN, {}, null]]],
    [
      'of Windows, with a mark',
      `\uFEFF${HEAD}\r\nwxp,wxa,${TOKEN}\r\n\r\n`,
      [['wxp', 'wxa', TOKEN, {}, null]],
    ],
    [
      'with further columns in another order, quotes and commas',
      `nick_name,auth_time,${HEAD}\n"甲, ""乙""\n店",1700000000,wxp,wxa,"${TOKEN}"\n`,
      [['wxp', 'wxa', TOKEN, { nickName: '甲, "乙"\n店' }, 1_700_000_000_000]],
    ],
    [
      'named twice alike',
      `${HEAD}\nwxp,wxa,${TOKEN}\nwxp,wxa,${TOKEN}\n`,
      [['wxp', 'wxa', TOKEN, {}, null]],
    ],
    [
      'named twice with two tokens',
      `${HEAD}\nwxp,wxa,${TOKEN}\nwxp,wxa,${TOKEN}2\n`,
      [['wxp', 'wxa', TOKEN, {}, null], 'line 3: it is named before, with another refresh token'],
    ],
    [
      'of two platforms',
      `${HEAD}\nwxp,wxa,${TOKEN}\nwxq,wxa,${TOKEN}\n`,
      [
        ['wxp', 'wxa', TOKEN, {}, null],
        ['wxq', 'wxa', TOKEN, {}, null],
      ],
    ],
    [
      'that lack what is needed',
      `${HEAD}\nwxp,wxa\n,wxa,${TOKEN}\nwxp,"w x",${TOKEN}\nwxp,wxa,not a token\n`,
      [
        'line 2: it has no refresh token',
        'line 3: it names no platform, or no right appid of one',
        'line 4: it has no appid, or none that is right',
        'line 5: its refresh token has characters or a length that none has',
      ],
    ],
  ])('%s', (_, text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  it.each([
    ['', 'lacks the column component_appid'],
    [`wxp,wxa,${TOKEN}\n`, 'lacks the column component_appid'],
    [`${HEAD},secret\n`, 'has 1 columns besides'],
    [`${HEAD},auth_time, auth_time\n`, 'has a column twice'],
    [`${HEAD}\nwxp,"wxa,${TOKEN}\n`, 'The quotes of line 2 are wrong'],
    [`${HEAD}\nwxp,"wxa"x,${TOKEN}\n`, 'The quotes of line 2 are wrong'],
  ])('%j is refused, and repeats nothing', (text, why) => {
    expect(() => csvAccounts(text)).toThrow(why);
    expect(() => csvAccounts(text)).not.toThrow(TOKEN);
  });

  it.each(['x', '""', ','])('are refused where a cell is millions of %s', (text) => {
    const cell = text.repeat(15_000_000);
    const why = 'The quotes of line 2 are wrong, or a cell has more than 10000 characters';
    expect(() => csvAccounts(`${HEAD}\nwxp,wxa,"${cell}"\n`)).toThrow(why);
  });

  it('say nothing of a token that stands in a wrong column', () => {
    const row: BroughtRow = {
      place: 'line 2',
      componentAppId: 'wxp',
      authorizerAppId: TOKEN,
      refreshToken: 'wxa',
    };
    const long = { ...row, authorizerAppId: 'a'.repeat(40) };
    expect(JSON.stringify(checkRows([row, long]).problems)).not.toMatch(/fake-one|aaaa/);
  });
});
