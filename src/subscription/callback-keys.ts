import { randomBytes } from 'node:crypto';
import { Secret } from '../common/secret.js';

/** A Token such as WeChat's console takes: 32 letters and digits. */
export function newCallbackToken(): Secret {
  return new Secret(randomBytes(16).toString('hex'));
}

/**
 * An EncodingAESKey: 43 letters and digits. No bits are left over in the last one, which is one of
 * `AEIMQUYcgkosw048`: some SDKs refuse a key that is not what its bytes encode to.
 */
export function newEncodingAesKey(): Secret {
  for (;;) {
    const key = randomBytes(32).toString('base64').slice(0, 43);
    if (/^[A-Za-z0-9]{43}$/.test(key)) return new Secret(key);
  }
}
