import { randomBytes, scrypt } from 'node:crypto';
import { HubError } from '../common/hub-error.js';
import { Mutex } from '../common/mutex.js';
import { constantTimeEqual } from '../common/secret.js';

/** Fewest characters of a password. */
export const PASSWORD_LENGTH = 12;
/** 32 MiB and some tenths of a second for each. */
const COST = { N: 2 ** 15, r: 8, p: 3 };
const MAX_MEMORY = 64 * 1024 * 1024;
const HASH_BYTES = 32;
/** Compared with where there is no password, so that the answer takes as long. */
const NOBODYS = `scrypt:${COST.N}:${COST.r}:${COST.p}:${'A'.repeat(22)}:${'A'.repeat(43)}`;

/** One at a time, so that tries take neither all memory nor all threads. */
const turns = new Mutex();

/** @throws {HubError} 400 `password_weak` for a password that is too short, or the name. */
export function refuseWeak(password: string, name: string): void {
  const plain = (text: string): string => text.normalize('NFKC').trim().toLowerCase();
  const isLong = [...password.normalize('NFKC')].length >= PASSWORD_LENGTH;
  if (isLong && plain(password) !== plain(name)) return;
  const message = `A password has at least ${PASSWORD_LENGTH} characters and is not the name`;
  throw new HubError('password_weak', message, { status: 400 });
}

/** `scrypt:<N>:<r>:<p>:<salt>:<hash>`, the last two in base64url. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, COST);
  const { N, r, p } = COST;
  return ['scrypt', N, r, p, salt.toString('base64url'), hash.toString('base64url')].join(':');
}

/** Whether the password is the one of this hash; takes as long, and is false, where there is none. */
export async function isPassword(password: string, stored: string | null): Promise<boolean> {
  const [, n, r, p, salt = '', hash = ''] = (stored ?? NOBODYS).split(':');
  const cost = { N: Number(n), r: Number(r), p: Number(p) };
  const derived = await derive(password, Buffer.from(salt, 'base64url'), cost);
  return constantTimeEqual(derived.toString('base64url'), hash) && stored !== null;
}

function derive(password: string, salt: Buffer, cost: typeof COST): Promise<Buffer> {
  return turns.run(
    () =>
      new Promise((resolve, reject) => {
        const options = { ...cost, maxmem: MAX_MEMORY };
        scrypt(password.normalize('NFKC'), salt, HASH_BYTES, options, (error, key) => {
          if (error) reject(error);
          else resolve(key);
        });
      }),
  );
}
