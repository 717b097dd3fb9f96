import { hash, randomBytes } from 'node:crypto';

/** What a page configures WeChat's JS-SDK with (`wx.config`). */
export interface JsSdkSignature {
  appId: string;
  /** Unix seconds. */
  timestamp: number;
  nonceStr: string;
  signature: string;
  /** As it was signed: without its fragment. */
  url: string;
}

/** Signs the address of a page, by WeChat's rule for the JS-SDK. @param now Unix milliseconds */
export function signPage(
  { appId, ticket, url }: { appId: string; ticket: string; url: string },
  now: number,
  nonceStr = randomBytes(12).toString('hex'),
): JsSdkSignature {
  const timestamp = Math.floor(now / 1000);
  const [page = ''] = url.split('#', 1);
  const text = `jsapi_ticket=${ticket}&noncestr=${nonceStr}&timestamp=${timestamp}&url=${page}`;
  const signature = hash('sha1', text);
  return { appId, timestamp, nonceStr, signature, url: page };
}
