import { describe, expect, it } from 'vitest';
import { errcodeOf } from './wechat-answer.js';

describe('the errcode of an answer', () => {
  it.each<[string, boolean, number | undefined]>([
    ['{"errcode":40001,"errmsg":"invalid credential"}', true, 40001],
    ['{"errmsg":"a \\"quoted\\" word","errcode":42001}', true, 42001],
    ['{ "errcode" : -1 }', true, -1],
    ['\uFEFF {"errcode":"40014"}', true, 40014],
    ['{"ip_list":[]}', true, 0],
    ['{"errcode":null}', true, 0],
    ['{"items":[{"errcode":40001}]}', true, 0],
    ['[1]', true, 0],
    ['{"errcode":40001,"cut', true, 40001],
    ['<xml/>', true, undefined],
    ['', true, undefined],
    ['{"errcode":40001,"data":"…', false, 40001],
    ['{"errmsg":"x","errcode":40001,"data":"…', false, 40001],
    ['{"data":{"errcode":40001},"more":"…', false, 0],
  ])('%s, whole: %s, is %s', (text, whole, expected) => {
    expect(errcodeOf(Buffer.from(text), whole)).toBe(expected);
  });
});
