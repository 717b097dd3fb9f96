import { expect, it } from 'vitest';
import { signPage } from './js-sdk.js';

it('signs a page as the example of WeChat’s JS-SDK documentation does', () => {
  const ticket =
    'sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg';
  const url = 'http://mp.weixin.qq.com?params=value';
  const page = { appId: 'wx0', ticket, url: `${url}#fragment` };
  expect(signPage(page, 1_414_587_457_000, 'Wm3WZYTPz0wzccnW')).toEqual({
    appId: 'wx0',
    timestamp: 1_414_587_457,
    nonceStr: 'Wm3WZYTPz0wzccnW',
    signature: '0f9de62fce790f9a083d5c99e95740ceb90c27ed',
    url,
  });
});
