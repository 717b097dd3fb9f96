const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** 43 letters are 258 bits, a key has 256: the last letter says two bits less. */
const LAST_LETTERS = 'AEIMQUYcgkosw048';

function letters(count: number, from = LETTERS): string {
  let text = '';
  while (text.length < count) {
    const [byte = 0] = crypto.getRandomValues(new Uint8Array(1));
    // Without the rest of a division all letters are equally likely.
    if (byte < 256 - (256 % from.length)) text += from[byte % from.length];
  }
  return text;
}

/** A new message verification Token, as WeChat takes it. */
export function newCallbackToken(): string {
  return letters(32);
}

/** A new EncodingAESKey that every library decodes. */
export function newEncodingAesKey(): string {
  return letters(42) + letters(1, LAST_LETTERS);
}
