import { describe, expect, it } from 'vitest';
import { readInfo } from './authorizer-info.service.js';

describe('what api_get_authorizer_info says', () => {
  it('of an official account', () => {
    const answer = {
      nick_name: 'Name',
      user_name: 'gh_1',
      principal_name: 'Company',
      head_img: 'https://wx.qlogo.cn/1',
      verify_type_info: { id: 0 },
      service_type_info: { id: '2' },
      register_type: 6,
      account_status: 1,
    };
    expect(readInfo(answer)).toEqual({
      columns: {
        nickName: 'Name',
        userName: 'gh_1',
        principalName: 'Company',
        headImg: 'https://wx.qlogo.cn/1',
        verifyType: 0,
        serviceType: 2,
        accountStatus: 1,
        registerType: 6,
        type: 'official_account',
        info: JSON.stringify(answer),
      },
      suspension: undefined,
    });
  });

  it('of a mini program, with fields that nobody knows', () => {
    const answer = { MiniProgramInfo: { visit_status: 0 }, field_of_2031: [1] };
    expect(readInfo(answer).columns).toEqual({
      type: 'mini_program',
      info: JSON.stringify(answer),
    });
  });

  it('without fields of a wrong type, so that what is known of them stays', () => {
    const answer = { nick_name: 7, head_img: null, verify_type_info: 'x', account_status: 1e12 };
    expect(Object.keys(readInfo(answer).columns)).toEqual(['type', 'info']);
    expect(readInfo(answer).suspension).toBeUndefined();
  });

  it('cut to what the columns hold', () => {
    const { columns } = readInfo({ nick_name: 'n'.repeat(200), user_name: 'u'.repeat(200) });
    expect([columns.nickName?.length, columns.userName?.length]).toEqual([191, 64]);
  });

  it.each([
    [1, undefined],
    [14, 14],
    [16, 16],
    [19, 19],
    ['19', 19],
    [undefined, undefined],
  ])('account_status %s suspends: %s', (account_status, suspension) => {
    expect(readInfo({ account_status }).suspension).toBe(suspension);
  });
});
