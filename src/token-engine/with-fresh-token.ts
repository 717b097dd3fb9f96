import type { Secret } from '../common/secret.js';
import { isRefusal } from '../wechat-api/first-accepted.js';

/** Where a call's token comes from. */
export interface TokenSupply {
  current: () => Promise<{ token: Secret }>;
  /** Has a token that WeChat refused replaced. */
  replace: (refused: string) => Promise<{ token: Secret }>;
}

/**
 * Runs `call` with a token; if WeChat refuses the token (40001, 40014, 42001) it is replaced and
 * the call is made once more.
 */
export async function withFreshToken<T>(
  { current, replace }: TokenSupply,
  call: (token: Secret) => Promise<T>,
): Promise<T> {
  const { token } = await current();
  try {
    return await call(token);
  } catch (error) {
    if (!isRefusal(error, ['token'])) throw error;
    return call((await replace(token.reveal())).token);
  }
}
